//! The witness: an X client on libxcb, which shares no code with deskd. It
//! draws what deskd must see.

use xcb::{Xid, damage, randr, render, res, x};

use super::{XServer, xserver::COOKIE};

/// A connection of the witness.
pub struct Witness {
    pub conn: xcb::Connection,
    root: x::Window,
    depth: u8,
    size: (u16, u16),
}

impl Witness {
    /// On a server's first screen.
    pub fn new(server: &XServer) -> Self {
        let auth = xcb::AuthInfo {
            name: "MIT-MAGIC-COOKIE-1",
            data: COOKIE,
        };
        let extensions = [
            xcb::Extension::Render,
            xcb::Extension::RandR,
            xcb::Extension::Test,
        ];
        let (conn, _) = xcb::Connection::connect_to_display_with_auth_info_and_extensions(
            Some(&server.display()),
            auth,
            &[],
            &extensions,
        )
        .unwrap();
        let screen = conn.get_setup().roots().next().unwrap();
        let (root, depth) = (screen.root(), screen.root_depth());
        let size = (screen.width_in_pixels(), screen.height_in_pixels());
        Self {
            conn,
            root,
            depth,
            size,
        }
    }

    /// The same; it receives every rectangle of the screen that is drawn to.
    pub fn with_damage(server: &XServer) -> Self {
        let auth = xcb::AuthInfo {
            name: "MIT-MAGIC-COOKIE-1",
            data: COOKIE,
        };
        let extensions = [xcb::Extension::Damage];
        let (conn, _) = xcb::Connection::connect_to_display_with_auth_info_and_extensions(
            Some(&server.display()),
            auth,
            &extensions,
            &[],
        )
        .unwrap();
        let screen = conn.get_setup().roots().next().unwrap();
        let (root, depth) = (screen.root(), screen.root_depth());
        let size = (screen.width_in_pixels(), screen.height_in_pixels());
        let witness = Self {
            conn,
            root,
            depth,
            size,
        };
        let version = witness.conn.send_request(&damage::QueryVersion {
            client_major_version: 1,
            client_minor_version: 1,
        });
        witness.conn.wait_for_reply(version).unwrap();
        witness.checked(&damage::Create {
            damage: witness.conn.generate_id(),
            drawable: x::Drawable::Window(root),
            level: damage::ReportLevel::RawRectangles,
        });
        witness
    }

    /// Owns a selection.
    pub fn own_selection(&self, name: &str) {
        let cookie = self.conn.send_request(&x::InternAtom {
            only_if_exists: false,
            name: name.as_bytes(),
        });
        let selection = self.conn.wait_for_reply(cookie).unwrap().atom();
        let owner = self.window((0, 0), (1, 1), 0);
        self.checked(&x::SetSelectionOwner {
            owner,
            selection,
            time: x::CURRENT_TIME,
        });
    }

    /// Maps a window, or unmaps it.
    pub fn set_mapped(&self, window: x::Window, is_mapped: bool) {
        if is_mapped {
            self.checked(&x::MapWindow { window });
        } else {
            self.checked(&x::UnmapWindow { window });
        }
    }

    /// How many resources all other clients have on the server.
    pub fn resources_of_others(&self) -> u32 {
        let cookie = self.conn.send_request(&res::QueryClients {});
        let clients = self.conn.wait_for_reply(cookie).unwrap();
        let own = self.conn.get_setup().resource_id_base();
        let bases = clients.clients().iter().map(|client| client.resource_base);
        let of = |xid: u32| {
            let cookie = self.conn.send_request(&res::QueryClientResources { xid });
            let types = self.conn.wait_for_reply(cookie).unwrap();
            types.types().iter().map(|kind| kind.count).sum::<u32>()
        };
        bases.filter(|base| *base != own).map(of).sum()
    }

    /// Asks the server something and waits for the answer.
    pub fn round_trip(&self) {
        let cookie = self.conn.send_request(&x::GetInputFocus {});
        self.conn.wait_for_reply(cookie).unwrap();
    }

    /// Fills the root window with a pattern in which every pixel differs from its
    /// neighbours. Returns it as BGRX with the fourth byte 255, as a screen of depth 24
    /// shows it.
    pub fn draw_pattern(&self, seed: u32) -> Vec<u8> {
        let pixels = pattern(self.size, seed);
        self.put(&pixels, (0, 0), self.size);
        pixels
    }

    /// Puts 32-bit pixels on the root window.
    pub fn put(&self, pixels: &[u8], at: (i16, i16), size: (u16, u16)) {
        let gc: x::Gcontext = self.conn.generate_id();
        // Over all windows, as the screen shows it.
        let include = x::Gc::SubwindowMode(x::SubwindowMode::IncludeInferiors);
        let drawable = x::Drawable::Window(self.root);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[include],
        });
        let row = pixels.len() / usize::from(size.1);
        let rows = (200_000 / row).max(1);
        for (index, part) in pixels.chunks(rows * row).enumerate() {
            self.checked(&x::PutImage {
                format: x::ImageFormat::ZPixmap,
                drawable,
                gc,
                width: size.0,
                height: u16::try_from(part.len() / row).unwrap(),
                dst_x: at.0,
                dst_y: at.1 + i16::try_from(index * rows).unwrap(),
                left_pad: 0,
                depth: self.depth,
                data: part,
            });
        }
        self.checked(&x::FreeGc { gc });
    }

    /// The whole screen, read by core GetImage.
    pub fn capture(&self) -> super::Image {
        let (width, height) = self.size;
        super::Image::from_bgrx(&self.capture_bytes(), width.into(), height.into())
    }

    fn capture_bytes(&self) -> Vec<u8> {
        let (width, height) = self.size;
        let cookie = self.conn.send_request(&x::GetImage {
            format: x::ImageFormat::ZPixmap,
            drawable: x::Drawable::Window(self.root),
            x: 0,
            y: 0,
            width,
            height,
            plane_mask: u32::MAX,
        });
        self.conn.wait_for_reply(cookie).unwrap().data().to_vec()
    }

    /// A number that differs when the screen does.
    pub fn digest(&self) -> u64 {
        use std::hash::{DefaultHasher, Hasher};
        let image = self.capture_bytes();
        let mut hasher = DefaultHasher::new();
        hasher.write(&image);
        hasher.finish()
    }

    /// The root window.
    pub fn root(&self) -> x::Window {
        self.root
    }

    /// Sets a property of the root window that names a window.
    pub fn set_root_window(&self, name: &str, window: u32) {
        let atom = self.conn.send_request(&x::InternAtom {
            only_if_exists: false,
            name: name.as_bytes(),
        });
        self.checked(&x::ChangeProperty {
            mode: x::PropMode::Replace,
            window: self.root,
            property: self.conn.wait_for_reply(atom).unwrap().atom(),
            r#type: x::ATOM_WINDOW,
            data: &[window],
        });
    }

    /// A mapped window without decoration, of one colour.
    pub fn window(&self, at: (i16, i16), size: (u16, u16), pixel: u32) -> x::Window {
        let wid: x::Window = self.conn.generate_id();
        self.checked(&x::CreateWindow {
            depth: x::COPY_FROM_PARENT.try_into().unwrap(),
            wid,
            parent: self.root,
            x: at.0,
            y: at.1,
            width: size.0,
            height: size.1,
            border_width: 0,
            class: x::WindowClass::InputOutput,
            visual: x::COPY_FROM_PARENT,
            value_list: &[x::Cw::BackPixel(pixel), x::Cw::OverrideRedirect(true)],
        });
        self.checked(&x::MapWindow { window: wid });
        wid
    }

    /// Draws a rectangle into a window.
    pub fn draw(&self, window: x::Window, at: (i16, i16), size: (u16, u16), pixel: u32) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(window);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[x::Gc::Foreground(pixel)],
        });
        self.checked(&x::PolyFillRectangle {
            drawable,
            gc,
            rectangles: &[x::Rectangle {
                x: at.0,
                y: at.1,
                width: size.0,
                height: size.1,
            }],
        });
        self.checked(&x::FreeGc { gc });
    }

    /// The same, many times over: nobody waits for the server.
    pub fn draw_points(&self, window: x::Window, points: &[(i16, i16)], pixel: u32) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(window);
        self.conn.send_request(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[x::Gc::Foreground(pixel)],
        });
        for (x, y) in points {
            self.conn.send_request(&x::PolyFillRectangle {
                drawable,
                gc,
                rectangles: &[x::Rectangle {
                    x: *x,
                    y: *y,
                    width: 1,
                    height: 1,
                }],
            });
        }
        self.checked(&x::FreeGc { gc });
    }

    /// Changes each pixel there by a bit of its colours, 0 for the lowest, over all windows;
    /// done again, it is as it was.
    pub fn shake(&self, at: (i16, i16), size: (u16, u16), bit: u32) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(self.root);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[
                x::Gc::Function(x::Gx::Xor),
                x::Gc::Foreground(0x01_0101 << bit),
                x::Gc::SubwindowMode(x::SubwindowMode::IncludeInferiors),
            ],
        });
        self.checked(&x::PolyFillRectangle {
            drawable,
            gc,
            rectangles: &[x::Rectangle {
                x: at.0,
                y: at.1,
                width: size.0,
                height: size.1,
            }],
        });
        self.checked(&x::FreeGc { gc });
    }

    /// Scrolls a part of a window by 7 rows.
    pub fn scroll(&self, window: x::Window, at: (i16, i16), size: (u16, u16)) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(window);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[],
        });
        self.checked(&x::CopyArea {
            src_drawable: drawable,
            dst_drawable: drawable,
            gc,
            src_x: at.0,
            src_y: at.1 + 7,
            dst_x: at.0,
            dst_y: at.1,
            width: size.0,
            height: size.1,
        });
        self.checked(&x::FreeGc { gc });
    }

    /// Scrolls a part of the screen, over all windows.
    pub fn scroll_screen(&self, at: (i16, i16), size: (u16, u16), rows: i16) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(self.root);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[x::Gc::SubwindowMode(x::SubwindowMode::IncludeInferiors)],
        });
        self.checked(&x::CopyArea {
            src_drawable: drawable,
            dst_drawable: drawable,
            gc,
            src_x: at.0,
            src_y: at.1 + rows,
            dst_x: at.0,
            dst_y: at.1,
            width: size.0,
            height: size.1,
        });
        self.checked(&x::FreeGc { gc });
    }

    /// One colour everywhere, as the server's pixel value.
    pub fn fill(&self, pixel: u32) {
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Window(self.root);
        let include = x::Gc::SubwindowMode(x::SubwindowMode::IncludeInferiors);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[x::Gc::Foreground(pixel), include],
        });
        let (width, height) = self.size;
        self.checked(&x::PolyFillRectangle {
            drawable,
            gc,
            rectangles: &[x::Rectangle {
                x: 0,
                y: 0,
                width,
                height,
            }],
        });
        self.checked(&x::FreeGc { gc });
    }

    /// The place of the pointer.
    pub fn pointer(&self) -> (i16, i16) {
        let cookie = self
            .conn
            .send_request(&x::QueryPointer { window: self.root });
        let reply = self.conn.wait_for_reply(cookie).unwrap();
        (reply.root_x(), reply.root_y())
    }

    /// Moves the pointer.
    pub fn warp(&self, x: i16, y: i16) {
        self.checked(&x::WarpPointer {
            src_window: x::WINDOW_NONE,
            dst_window: self.root,
            src_x: 0,
            src_y: 0,
            src_width: 0,
            src_height: 0,
            dst_x: x,
            dst_y: y,
        });
    }

    /// Gives the root window a cursor of premultiplied ARGB pixels.
    pub fn set_argb_cursor(&self, argb: &[u32], size: (u16, u16), hot: (u16, u16)) {
        let pixmap = self.argb_pixmap(size);
        let gc: x::Gcontext = self.conn.generate_id();
        let drawable = x::Drawable::Pixmap(pixmap);
        self.checked(&x::CreateGc {
            cid: gc,
            drawable,
            value_list: &[],
        });
        let data: Vec<u8> = argb.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        self.checked(&x::PutImage {
            format: x::ImageFormat::ZPixmap,
            drawable,
            gc,
            width: size.0,
            height: size.1,
            dst_x: 0,
            dst_y: 0,
            left_pad: 0,
            depth: 32,
            data: &data,
        });
        self.use_argb_cursor(pixmap, hot);
    }

    fn argb_format(&self) -> render::Pictformat {
        let formats = self
            .conn
            .wait_for_reply(self.conn.send_request(&render::QueryPictFormats {}))
            .unwrap();
        let direct = |format: &&render::Pictforminfo| {
            format.depth() == 32
                && format.direct().alpha_mask == 0xff
                && format.direct().alpha_shift == 24
                && format.direct().red_shift == 16
        };
        formats.formats().iter().find(direct).unwrap().id()
    }

    /// Gives the root window a blank cursor of that width and height.
    pub fn set_blank_cursor(&self, side: u16) {
        let pixmap = self.argb_pixmap((side, side));
        self.use_argb_cursor(pixmap, (3, 4));
    }

    fn argb_pixmap(&self, size: (u16, u16)) -> x::Pixmap {
        let pixmap: x::Pixmap = self.conn.generate_id();
        self.checked(&x::CreatePixmap {
            depth: 32,
            pid: pixmap,
            drawable: x::Drawable::Window(self.root),
            width: size.0,
            height: size.1,
        });
        pixmap
    }

    fn use_argb_cursor(&self, pixmap: x::Pixmap, hot: (u16, u16)) {
        let picture: render::Picture = self.conn.generate_id();
        self.checked(&render::CreatePicture {
            pid: picture,
            drawable: x::Drawable::Pixmap(pixmap),
            format: self.argb_format(),
            value_list: &[],
        });
        let cursor: x::Cursor = self.conn.generate_id();
        self.checked(&render::CreateCursor {
            cid: cursor,
            source: picture,
            x: hot.0,
            y: hot.1,
        });
        self.use_cursor(cursor);
    }

    /// Gives the root window a two-coloured cursor: `mask` says which pixels
    /// there are, `source` which of them are white.
    pub fn set_bitmap_cursor(&self, source: &[u8], mask: &[u8], side: u16, hot: (u16, u16)) {
        let bitmap = |data: &[u8]| {
            let pixmap: x::Pixmap = self.conn.generate_id();
            let drawable = x::Drawable::Window(self.root);
            self.checked(&x::CreatePixmap {
                depth: 1,
                pid: pixmap,
                drawable,
                width: side,
                height: side,
            });
            let (gc, drawable): (x::Gcontext, _) =
                (self.conn.generate_id(), x::Drawable::Pixmap(pixmap));
            let colours = [x::Gc::Foreground(1), x::Gc::Background(0)];
            self.checked(&x::CreateGc {
                cid: gc,
                drawable,
                value_list: &colours,
            });
            self.checked(&x::PutImage {
                format: x::ImageFormat::XyBitmap,
                drawable,
                gc,
                width: side,
                height: side,
                dst_x: 0,
                dst_y: 0,
                left_pad: 0,
                depth: 1,
                data,
            });
            pixmap
        };
        let cursor: x::Cursor = self.conn.generate_id();
        self.checked(&x::CreateCursor {
            cid: cursor,
            source: bitmap(source),
            mask: bitmap(mask),
            fore_red: u16::MAX,
            fore_green: u16::MAX,
            fore_blue: u16::MAX,
            back_red: 0,
            back_green: 0,
            back_blue: 0,
            x: hot.0,
            y: hot.1,
        });
        self.use_cursor(cursor);
    }

    fn use_cursor(&self, cursor: x::Cursor) {
        let list = &[x::Cw::Cursor(cursor)];
        self.checked(&x::ChangeWindowAttributes {
            window: self.root,
            value_list: list,
        });
    }

    /// Resizes the screen by RandR; sizes above the server's first are refused.
    pub fn resize(&mut self, width: u16, height: u16) {
        let root = self.root;
        let resources = self
            .conn
            .send_request(&randr::GetScreenResources { window: root });
        let resources = self.conn.wait_for_reply(resources).unwrap();
        let crtc = resources.crtcs()[0];
        // A CRTC larger than the screen would be refused: off, resize, on.
        let set = |mode: randr::Mode, outputs: &[randr::Output]| {
            let reply = self.conn.send_request(&randr::SetCrtcConfig {
                crtc,
                timestamp: x::CURRENT_TIME,
                config_timestamp: x::CURRENT_TIME,
                x: 0,
                y: 0,
                mode,
                rotation: randr::Rotation::ROTATE_0,
                outputs,
            });
            let reply = self.conn.wait_for_reply(reply).unwrap();
            assert_eq!(reply.status(), randr::SetConfig::Success);
        };
        set(Xid::none(), &[]);
        let (mm_width, mm_height) = (u32::from(width) * 254 / 960, u32::from(height) * 254 / 960);
        self.checked(&randr::SetScreenSize {
            window: root,
            width,
            height,
            mm_width,
            mm_height,
        });
        self.size = (width, height);
    }

    /// Takes a keysym away from every key that has it.
    pub fn remove_keysym(&self, keysym: u32) {
        let setup = self.conn.get_setup();
        let (first, last) = (setup.min_keycode(), setup.max_keycode());
        let mapping = self.conn.send_request(&x::GetKeyboardMapping {
            first_keycode: first,
            count: last - first + 1,
        });
        let mapping = self.conn.wait_for_reply(mapping).unwrap();
        let keysyms = mapping
            .keysyms()
            .iter()
            .map(|own| if *own == keysym { 0 } else { *own });
        self.checked(&x::ChangeKeyboardMapping {
            keycode_count: last - first + 1,
            first_keycode: first,
            keysyms_per_keycode: mapping.keysyms_per_keycode(),
            keysyms: &keysyms.collect::<Vec<_>>(),
        });
    }

    /// Clicks as bare X does: the movement, the press and the release, each
    /// followed by a round trip.
    pub fn bare_click(&self, at: (i16, i16)) {
        // MotionNotify, ButtonPress, ButtonRelease of the core protocol.
        for (r#type, detail) in [(6, 0), (4, 1), (5, 1)] {
            self.conn.send_request(&xcb::xtest::FakeInput {
                r#type,
                detail,
                time: x::CURRENT_TIME,
                root: self.root,
                root_x: at.0,
                root_y: at.1,
                deviceid: 0,
            });
            self.round_trip();
        }
    }

    /// Takes every key that no person has, so that none is spare.
    pub fn grab_keys(&self) {
        for key in [93, 97, 103].into_iter().chain(120..=255) {
            // One that another program has stays with it.
            let grab = self.conn.send_request_checked(&x::GrabKey {
                owner_events: false,
                grab_window: self.root,
                modifiers: x::ModMask::ANY,
                key,
                pointer_mode: x::GrabMode::Async,
                keyboard_mode: x::GrabMode::Async,
            });
            drop(self.conn.check_request(grab));
        }
    }

    /// Grabs the server: other clients' requests wait.
    pub fn grab_server(&self) {
        self.checked(&x::GrabServer {});
    }

    /// Ends the grab.
    pub fn ungrab_server(&self) {
        self.checked(&x::UngrabServer {});
    }

    /// Sends a request and sees that it was done.
    pub fn checked<R: xcb::RequestWithoutReply>(&self, request: &R) {
        let cookie = self.conn.send_request_checked(request);
        self.conn.check_request(cookie).unwrap();
    }
}

/// Noise and gradients as BGRX, the fourth byte 255.
pub fn pattern((width, height): (u16, u16), seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 4);
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state.to_be_bytes();
            pixels.extend_from_slice(&[
                (x ^ y).to_le_bytes()[0],
                noise[0],
                (x + y).to_le_bytes()[0],
                255,
            ]);
        }
    }
    pixels
}

//! Steps from the command line: `deskd act`, `click`, `move`, `type`, `paste`, `key`, `scroll`;
//! also `pressed` and `release` for held input.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use super::{
    act_args::{
        ActArgs, ButtonArg, ClickArgs, KeyArgs, MoveArgs, PasteArgs, ScrollArgs, StepArgs, TypeArgs,
    },
    client_args::ClientArgs,
    exit::{CliError, Exit},
    image, json,
    print::{self, say},
};
use crate::{
    keys,
    rpc::v1::{self, action::Action},
};

/// `deskd act`: runs a step that is given as JSON.
pub(super) async fn act(args: ActArgs) -> Result<Exit, CliError> {
    let text = match args.request.as_str() {
        "-" => standard_input()?,
        text if text.trim_start().starts_with(['{', '[']) => text.to_owned(),
        path => fs::read_to_string(path).map_err(|error| {
            CliError::new(Exit::Usage, format!("{path} cannot be read: {error}"))
        })?,
    };
    let mut request: v1::ActRequest = json::parse("ActRequest", &text)?;
    request.unproved |= args.step.unproved;
    if args.step.no_settle {
        request.settle = Some(skip());
    }
    let is_picture = |action: &v1::Action| matches!(action.action, Some(Action::Screenshot(_)));
    let pictures = request.actions.iter().any(is_picture);
    if args.step.output.is_some() && request.no_frame && !pictures {
        let why = "--output wants an image, and noFrame says that there is none";
        return Err(CliError::new(Exit::Usage, why));
    }
    if args.step.output.is_none() && request.capture.is_none() {
        request.no_frame = true;
    }
    run(args.step, request).await
}

/// `deskd click`.
pub(super) async fn click(args: ClickArgs) -> Result<Exit, CliError> {
    let button = match args.button {
        ButtonArg::Left => v1::Button::Left,
        ButtonArg::Middle => v1::Button::Middle,
        ButtonArg::Right => v1::Button::Right,
        ButtonArg::Back => v1::Button::Back,
        ButtonArg::Forward => v1::Button::Forward,
    };
    let action = Action::Click(v1::ClickAction {
        at: Some((args.x, args.y).into()),
        button: button.into(),
        count: Some(args.count),
        modifiers: modifiers(args.modifiers.as_deref()),
    });
    one(args.step, action).await
}

/// `deskd move`.
pub(super) async fn move_to(args: MoveArgs) -> Result<Exit, CliError> {
    let action = Action::Move(v1::MoveAction {
        to: Some((args.x, args.y).into()),
        modifiers: modifiers(args.modifiers.as_deref()),
    });
    one(args.step, action).await
}

/// Splits the value of a modifiers flag, whose keys are joined by `+`.
fn modifiers(flag: Option<&str>) -> Vec<String> {
    flag.map(keys::chord).unwrap_or_default()
}

/// `deskd type`.
pub(super) async fn type_text(args: TypeArgs) -> Result<Exit, CliError> {
    let text = match args.text.as_str() {
        "-" => standard_input()?,
        _ => args.text,
    };
    let rate = args.rate;
    one(args.step, Action::Type(v1::TypeAction { text, rate })).await
}

/// `deskd paste`: enters text through the clipboard.
pub(super) async fn paste(args: PasteArgs) -> Result<Exit, CliError> {
    let text = match args.text.as_str() {
        "-" => standard_input()?,
        _ => args.text,
    };
    let chord = args.chord.unwrap_or_default();
    one(args.step, Action::Paste(v1::PasteAction { text, chord })).await
}

/// `deskd key`: presses a chord, or lists the names of keys.
pub(super) async fn key(args: KeyArgs) -> Result<Exit, CliError> {
    let Some(chord) = args.chord.filter(|_| !args.list) else {
        if args.step.client.json {
            let aliases: serde_json::Map<_, _> = keys::ALIASES
                .iter()
                .map(|(alias, name)| ((*alias).to_owned(), (*name).into()))
                .collect();
            let names = keys::x_names();
            say!(
                "{}",
                serde_json::json!({ "aliases": aliases, "names": names })
            );
            return Ok(Exit::Done);
        }
        say!("# other names, and X's");
        for (alias, name) in keys::ALIASES {
            say!("{alias} = {name}");
        }
        say!("# X's");
        for name in keys::x_names() {
            say!("{name}");
        }
        return Ok(Exit::Done);
    };
    let action = Action::Key(v1::KeyAction {
        keys: keys::chord(&chord),
        repeat: Some(args.repeat),
        hold: prost_types::Duration::try_from(Duration::from_millis(args.hold.into())).ok(),
    });
    one(args.step, action).await
}

/// `deskd scroll`.
pub(super) async fn scroll(args: ScrollArgs) -> Result<Exit, CliError> {
    let unit = if args.notches {
        v1::ScrollUnit::Notch
    } else {
        v1::ScrollUnit::Pixel
    };
    let action = Action::Scroll(v1::ScrollAction {
        at: Some((args.x, args.y).into()),
        dx: args.dx,
        dy: args.dy,
        unit: unit.into(),
        modifiers: modifiers(args.modifiers.as_deref()),
    });
    one(args.step, action).await
}

/// `deskd pressed`: prints the held input.
pub(super) async fn pressed(mut client: ClientArgs) -> Result<Exit, CliError> {
    let mut daemon = client.connect().await?;
    let request = client.request(v1::GetPressedRequest {});
    let reply = daemon.get_pressed(request).await?.into_inner();
    if client.json {
        say!("{}", json::value("GetPressedResponse", &reply)?);
        return Ok(Exit::Done);
    }
    for pressed in &reply.pressed {
        say!("{}", describe(pressed));
    }
    Ok(Exit::Done)
}

/// `deskd release`: releases the held input.
pub(super) async fn release(mut client: ClientArgs) -> Result<Exit, CliError> {
    let mut daemon = client.connect().await?;
    let request = client.request(v1::ReleaseAllRequest {});
    let reply = daemon.release_all(request).await?.into_inner();
    if client.json {
        say!("{}", json::value("ReleaseAllResponse", &reply)?);
        return Ok(Exit::Done);
    }
    for released in &reply.released {
        say!("{}", describe(released));
    }
    Ok(Exit::Done)
}

async fn one(step: StepArgs, action: Action) -> Result<Exit, CliError> {
    let action = v1::Action {
        action: Some(action),
    };
    let request = v1::ActRequest {
        actions: vec![action],
        settle: step.no_settle.then(skip),
        unproved: step.unproved,
        no_frame: step.output.is_none(),
        ..v1::ActRequest::default()
    };
    run(step, request).await
}

async fn run(mut step: StepArgs, mut request: v1::ActRequest) -> Result<Exit, CliError> {
    if let Some(file) = &step.output {
        let format = image::format_of(file)?;
        let own = request
            .actions
            .iter_mut()
            .filter_map(|action| match &mut action.action {
                Some(Action::Screenshot(action)) => Some(action.capture.get_or_insert_default()),
                _ => None,
            });
        let last = (!request.no_frame).then(|| request.capture.get_or_insert_default());
        for capture in own.chain(last) {
            // A format in the request has precedence.
            if capture.format() == v1::ImageFormat::Unspecified {
                capture.set_format(format);
            }
        }
    }
    let mut daemon = step.client.connect().await?;
    let reply = daemon.act(step.client.request(request)).await?.into_inner();
    let mut printed = Ok(());
    if step.client.json {
        printed = print::line(format_args!("{}", document(&reply)?));
    }
    let mut exit = Exit::Done;
    if reply.frame.as_ref().is_some_and(image::tell_card) {
        exit = Exit::Card;
    }
    if let Some(path) = &step.output {
        write(path, &reply).map_err(|error| {
            let outcome = lower(reply.outcome().as_str_name(), "ACT_OUTCOME_");
            let message = format!("the step ended as {outcome}; {}", error.message);
            CliError::new(error.exit, message)
        })?;
    }
    let outcome = reply.outcome();
    if outcome == v1::ActOutcome::Done {
        printed?;
        let to_stdout = step.output.as_deref() == Some(Path::new("-"));
        if !step.client.json && !to_stdout {
            say!("{}", summary(&reply));
        }
        return Ok(exit);
    }
    let done = reply.results.iter();
    let done = done.filter(|result| result.status() == v1::ActionStatus::Done);
    let done = done.count();
    let why = reply
        .results
        .iter()
        .find_map(|result| result.failure.as_ref());
    let why = why.map(|failure| format!(": {}", failure.message));
    let failed = reply.results.iter();
    let failed = failed.filter(|result| result.status() == v1::ActionStatus::Failed);
    let characters = failed.map(|result| result.characters).sum();
    let characters = match characters {
        0 => String::new(),
        characters => format!(" and {characters} characters of the next"),
    };
    let message = format!(
        "the step{} ended as {} after {done} actions that were done{characters}{}; take a new frame before you go on{}",
        if reply.replayed {
            ", done earlier,"
        } else {
            ""
        },
        lower(outcome.as_str_name(), "ACT_OUTCOME_"),
        why.unwrap_or_default(),
        if outcome == v1::ActOutcome::Deadline {
            " (--deadline allows more time)"
        } else {
            ""
        }
    );
    let exit = match outcome {
        v1::ActOutcome::Deadline => Exit::Deadline,
        _ => Exit::Refused,
    };
    Err(CliError::new(exit, message))
}

/// Writes the frame, and the images of `screenshot` actions beside it: FILE-2.png is that of the
/// third action.
fn write(path: &Path, reply: &v1::ActResponse) -> Result<(), CliError> {
    if let Some(frame) = &reply.frame {
        image::write(path, &frame.image)?;
    }
    if path.as_os_str() == "-" {
        return Ok(());
    }
    for (index, result) in reply.results.iter().enumerate() {
        let Some(frame) = &result.frame else { continue };
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{index}"));
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        image::write(&path.with_file_name(name), &frame.image)?;
    }
    Ok(())
}

/// Returns the reply as JSON, with the size of each image in place of its bytes.
fn document(reply: &v1::ActResponse) -> Result<serde_json::Value, CliError> {
    let mut without = reply.clone();
    let frames = without.results.iter_mut().map(|result| &mut result.frame);
    for frame in frames.chain([&mut without.frame]) {
        *frame = None;
    }
    let mut document = json::value("ActResponse", &without)?;
    if let Some(frame) = &reply.frame {
        document["frame"] = image::document(frame)?;
    }
    for (index, result) in reply.results.iter().enumerate() {
        if let Some(frame) = &result.frame {
            document["results"][index]["frame"] = image::document(frame)?;
        }
    }
    Ok(document)
}

fn summary(reply: &v1::ActResponse) -> String {
    let settle = reply.settle.clone().unwrap_or_default();
    let waited = settle.waited.unwrap_or_default();
    let waited = std::time::Duration::try_from(waited).unwrap_or_default();
    let state = lower(settle.state().as_str_name(), "SETTLE_STATE_");
    let changed = settle.changed.map_or_else(String::new, |area| {
        format!(
            ", changed {}x{}+{}+{}",
            area.width,
            area.height,
            area.x(),
            area.y()
        )
    });
    let replayed = if reply.replayed {
        " (done earlier)"
    } else {
        ""
    };
    let rest = match settle.state() {
        v1::SettleState::Skipped => "not waited for".to_owned(),
        _ => format!("{state} after {} ms{changed}", waited.as_millis()),
    };
    format!("done{replayed}{}; the screen: {rest}", text(&reply.results))
}

/// Summarises how many characters were entered by which method, and a loss of clipboard data.
fn text(results: &[v1::ActionResult]) -> String {
    let mut ways = std::collections::BTreeMap::<&str, u32>::new();
    for run in results.iter().flat_map(|result| &result.runs) {
        let way = match run.method() {
            v1::TextMethod::Key => "by key",
            v1::TextMethod::BoundKey => "by a key bound for it",
            v1::TextMethod::Selection => "by the clipboard",
            v1::TextMethod::Several => "by several of these",
            v1::TextMethod::Unspecified => "otherwise",
        };
        *ways.entry(way).or_default() += run.characters;
    }
    let mut text = String::new();
    for (way, characters) in ways {
        text.push_str(&format!(", {characters} characters {way}"));
    }
    if results.iter().any(|result| result.clipboard_lost) {
        text.push_str("; what was on the clipboard before is lost, or some of its formats");
    }
    text
}

fn describe(pressed: &v1::Pressed) -> String {
    let what = match &pressed.input {
        Some(v1::pressed::Input::Key(key)) => format!("key {key}"),
        Some(v1::pressed::Input::Button(button)) => {
            let button = v1::Button::try_from(*button).unwrap_or_default();
            format!("button {}", lower(button.as_str_name(), "BUTTON_"))
        }
        None => "nothing".to_owned(),
    };
    let until = pressed.until.and_then(|until| until.try_into().ok());
    match until {
        Some(until) => format!("{what} until {}", humantime::format_rfc3339_millis(until)),
        None => format!("{what} until the end of the step"),
    }
}

fn lower(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase()
}

fn skip() -> v1::SettleOptions {
    v1::SettleOptions {
        skip: true,
        timeout: None,
        quiet: None,
    }
}

fn standard_input() -> Result<String, CliError> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| {
        CliError::new(
            Exit::Usage,
            format!("standard input cannot be read as UTF-8: {error}"),
        )
    })?;
    Ok(text)
}

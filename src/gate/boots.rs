//! Tests of the verdicts: boots and desktops as sequences of facts.

use super::{
    Gate, Verdict,
    story::{DESKTOP, DOCK, PROGRAM, SCREEN, Story, StoryDisplay, ms},
};
use crate::{
    facts::{Content, Fact, Pinged, Profile},
    frame::Region,
};

use Profile::{Any, Xfce};

#[test]
fn the_truth_table() {
    for content in [Content::Flat, Content::Tiled] {
        let bare = StoryDisplay::bare(content);
        assert_eq!(
            Story::new().rest(&bare, 20_000).verdict(Xfce),
            Verdict::Blank
        );
        assert_eq!(
            Story::new().rest(&bare, 20_000).verdict(Any),
            Verdict::Blank
        );
    }
    let drawn = StoryDisplay::bare(Content::Drawn);
    assert_eq!(
        Story::new().rest(&drawn, 20_000).verdict(Xfce),
        Verdict::Partial
    );
    assert!(Story::ready_after(&drawn, Any).is_some());

    let panel_on_black = StoryDisplay {
        desktop: false,
        flat: vec![],
        ..StoryDisplay::xfce()
    };
    let story = |display: &StoryDisplay| Story::new().rest(display, 20_000).verdict(Xfce);
    assert_eq!(story(&panel_on_black), Verdict::Partial);
    let no_docks = StoryDisplay {
        dock: false,
        ..StoryDisplay::xfce()
    };
    assert_eq!(story(&no_docks), Verdict::Partial);
    let no_manager = StoryDisplay {
        manager: false,
        ..StoryDisplay::xfce()
    };
    assert_eq!(story(&no_manager), Verdict::Partial);
    assert_eq!(story(&StoryDisplay::xfce()), Verdict::Ready);
    let nothing = Gate::new();
    assert_eq!(nothing.judge(Xfce, false).verdict, Verdict::NoDisplay);
}

#[test]
fn a_painted_desktop_is_ready_soon_and_a_plain_one_a_little_later() {
    let ready = |display: &StoryDisplay| Story::ready_after(display, Xfce).unwrap();
    assert!(ready(&StoryDisplay::xfce()) <= ms(1200));
    let plain = StoryDisplay {
        flat: vec![DESKTOP],
        ..StoryDisplay::xfce()
    };
    assert!(ready(&plain) <= ms(1600));
    let hidden_panel = StoryDisplay {
        flat: vec![DOCK],
        ..StoryDisplay::xfce()
    };
    let after = ready(&hidden_panel);
    assert!(after >= ms(2000) && after <= ms(2600), "{after:?}");
}

#[test]
fn a_kiosk_and_a_lonely_window_manager_are_ready_under_any() {
    let whole = Region::whole(SCREEN);
    let kiosk = StoryDisplay {
        program: Some(whole),
        flat: vec![],
        ..StoryDisplay::bare(Content::Tiled)
    };
    assert!(Story::ready_after(&kiosk, Any).is_some());
    let empty = StoryDisplay {
        program: Some(whole),
        ..StoryDisplay::bare(Content::Flat)
    };
    assert_eq!(Story::new().rest(&empty, 9000).verdict(Any), Verdict::Blank);
    let lonely = StoryDisplay {
        manager: true,
        others: Some(0),
        ..StoryDisplay::bare(Content::Flat)
    };
    let after = Story::ready_after(&lonely, Any).unwrap();
    assert!(after >= ms(3000), "{after:?}");
    let booting = StoryDisplay {
        others: Some(1),
        ..lonely
    };
    assert_eq!(Story::ready_after(&booting, Any), None);
    // The server does not report the other clients, so READY takes longer.
    let unknown = StoryDisplay {
        others: None,
        ..booting
    };
    assert_eq!(
        Story::new().rest(&unknown, 9000).verdict(Any),
        Verdict::Blank
    );
    let ready = Story::new().rest(&unknown, 12_000).verdict(Any);
    assert_eq!(ready, Verdict::Ready);
}

#[test]
fn who_does_not_answer_holds_it_up() {
    for deaf in [
        Pinged::WindowManager,
        Pinged::Window(DESKTOP),
        Pinged::Window(DOCK),
    ] {
        let display = StoryDisplay {
            deaf: vec![deaf],
            ..StoryDisplay::xfce()
        };
        assert_eq!(Story::ready_after(&display, Xfce), None, "{deaf:?}");
    }
}

#[test]
fn who_is_at_work_or_stopped_holds_it_up() {
    for pid in [5, DESKTOP, DOCK] {
        let busy = StoryDisplay {
            busy: Some(pid),
            ..StoryDisplay::xfce()
        };
        assert_eq!(Story::ready_after(&busy, Xfce), None, "{pid}");
        let stopped = StoryDisplay {
            stopped: Some(pid),
            ..StoryDisplay::xfce()
        };
        assert_eq!(Story::ready_after(&stopped, Xfce), None, "{pid}");
    }
    // A busy program that owns no required window delays READY for `PATIENCE` only.
    let indexer = StoryDisplay {
        busy: Some(PROGRAM),
        ..StoryDisplay::xfce()
    };
    let mut story = Story::new();
    assert_eq!(story.rest(&indexer, 9000).verdict(Xfce), Verdict::Unsettled);
    assert_eq!(story.rest(&indexer, 3000).verdict(Xfce), Verdict::Ready);
}

#[test]
fn a_server_that_does_not_answer_is_not_quiet() {
    let slow = StoryDisplay {
        latency: ms(500),
        ..StoryDisplay::xfce()
    };
    assert_eq!(Story::ready_after(&slow, Xfce), None);
    // Time that the observer missed does not count as quiet.
    let mut story = Story::new();
    story.rest(&StoryDisplay::xfce(), 600);
    story.now += ms(30_000);
    story.step(&StoryDisplay::xfce(), &[]);
    let evidence = story.gate.judge(Xfce, false);
    assert_eq!(evidence.verdict, Verdict::Unsettled, "{evidence:?}");
    assert!(evidence.quiet < ms(100));
}

/// At 3840 × 2160 under a CPU quota, a pixel sample takes longer than the required quiet time.
#[test]
fn a_slow_look_does_not_begin_the_quiet_time_anew() {
    let display = StoryDisplay {
        look: ms(1500),
        ..StoryDisplay::xfce()
    };
    assert!(Story::ready_after(&display, Xfce).unwrap() < ms(5000));
}

#[test]
fn pixels_from_before_a_change_prove_nothing() {
    let mut story = Story::new();
    story.rest(&StoryDisplay::xfce(), 500);
    let mut display = StoryDisplay {
        unseen: true,
        ..StoryDisplay::xfce()
    };
    story.step(&display, &[(DESKTOP, Region::whole(SCREEN))]);
    story.rest(&display, 9000);
    assert_eq!(story.verdict(Xfce), Verdict::Unsettled);
    display.unseen = false;
    story.rest(&display, 100);
    assert_eq!(story.verdict(Xfce), Verdict::Ready);
}

#[test]
fn a_resize_a_new_window_and_a_lost_display_begin_anew() {
    let mut story = Story::new();
    assert_eq!(
        story.rest(&StoryDisplay::xfce(), 3000).verdict(Xfce),
        Verdict::Ready
    );
    let no_dock = StoryDisplay {
        dock: false,
        ..StoryDisplay::xfce()
    };
    assert_eq!(story.rest(&no_dock, 100).verdict(Xfce), Verdict::Partial);
    // The dock is back, and must answer pings.
    assert_eq!(
        story.rest(&StoryDisplay::xfce(), 100).verdict(Xfce),
        Verdict::Unsettled
    );
    assert_eq!(
        story.rest(&StoryDisplay::xfce(), 2100).verdict(Xfce),
        Verdict::Ready
    );
    story
        .gate
        .observe(story.now, Fact::NoDisplay("no X server answers".into()));
    story.gate.advance(story.now);
    assert_eq!(story.verdict(Xfce), Verdict::NoDisplay);
}

/// After a restart of the session, its windows have the same ids as before. A ping to the old
/// session that was never answered must not be waited for.
#[test]
fn a_ping_that_died_with_its_program_is_not_waited_for() {
    let mut story = Story::new();
    let mut display = StoryDisplay {
        deaf: vec![Pinged::Window(DOCK), Pinged::WindowManager],
        ..StoryDisplay::xfce()
    };
    story.rest(&display, 1000);
    display.deaf.clear();
    display.life = 1;
    story.rest(&display, 2000);
    let evidence = story.gate.judge(Xfce, false);
    assert_eq!(evidence.verdict, Verdict::Ready, "{evidence:?}");
}

#[test]
fn a_caret_settles_and_is_named_and_a_video_does_not() {
    let display = StoryDisplay {
        program: Some(Region::new(100, 100, 600, 400)),
        ..StoryDisplay::xfce()
    };
    let caret = (PROGRAM, Region::new(150, 150, 8, 16));
    let video = (PROGRAM, Region::new(200, 200, 320, 240));
    let mut story = Story::new();
    let mut ready = None;
    for step in 1..60 {
        let blinks = [caret];
        story.step(&display, &blinks[..usize::from(step % 12 == 0)]);
        let evidence = story.gate.judge(Xfce, false);
        if evidence.verdict == Verdict::Ready {
            ready = Some(evidence);
            break;
        }
    }
    assert_eq!(ready.unwrap().animated, [caret.1]);

    let mut story = Story::new();
    for _ in 0..400 {
        story.step(&display, &[video]);
        assert!(story.verdict(Xfce) < Verdict::Ready);
        assert!(story.verdict(Any) < Verdict::Ready);
    }
    let allowed = story.gate.judge(Xfce, true);
    assert_eq!(allowed.verdict, Verdict::Ready, "{allowed:?}");
    assert_eq!(allowed.animated, [video.1]);
}

/// XFCE's panel corrects its clock's text 1.4 to 1.7 s after the first drawing.
#[test]
fn a_panel_that_has_just_come_is_given_time_to_arrange_its_parts() {
    let new = StoryDisplay {
        age: Some(ms(300)),
        ..StoryDisplay::xfce()
    };
    let after = Story::ready_after(&new, Xfce).unwrap();
    assert!(after >= ms(1700) && after <= ms(1800), "{after:?}");
    let unknown = StoryDisplay { age: None, ..new };
    assert!(Story::ready_after(&unknown, Xfce).unwrap() >= ms(2000));
}

#[test]
fn what_a_start_script_began_holds_up_a_desktop_without_windows() {
    let mut story = Story::new();
    let alone = StoryDisplay {
        manager: true,
        others: Some(0),
        ..StoryDisplay::bare(Content::Drawn)
    };
    story.gate.observe(ms(0), Fact::Starting(vec![77]));
    assert_eq!(story.rest(&alone, 5000).verdict(Any), Verdict::Unsettled);
    let evidence = story.gate.judge(Any, false);
    assert!(evidence.missing[0].contains("process 77"), "{evidence:?}");
    story.gate.observe(story.now, Fact::Starting(Vec::new()));
    assert_eq!(story.rest(&alone, 100).verdict(Any), Verdict::Ready);
}

/// Some window managers answer no pings; they are judged by their processes.
#[test]
fn a_window_manager_that_never_answers_holds_it_up_for_a_while_only() {
    let mut story = Story::new();
    let mute = StoryDisplay {
        deaf: vec![Pinged::WindowManager],
        ..StoryDisplay::xfce()
    };
    assert_eq!(story.rest(&mute, 19_000).verdict(Xfce), Verdict::Unsettled);
    assert_eq!(story.rest(&mute, 2000).verdict(Xfce), Verdict::Ready);
}

//! One thing that the doctor looks at.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing looked at: what was found, and what to do about it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: String,
}

pub(super) fn pass(name: &'static str, found: impl Into<String>) -> Check {
    Check {
        name,
        verdict: Verdict::Pass,
        found: found.into(),
        remedy: String::new(),
    }
}

pub(super) fn warn(
    name: &'static str,
    found: impl Into<String>,
    remedy: impl Into<String>,
) -> Check {
    Check {
        name,
        verdict: Verdict::Warn,
        found: found.into(),
        remedy: remedy.into(),
    }
}

pub(super) fn fail(
    name: &'static str,
    found: impl Into<String>,
    remedy: impl Into<String>,
) -> Check {
    Check {
        name,
        verdict: Verdict::Fail,
        found: found.into(),
        remedy: remedy.into(),
    }
}

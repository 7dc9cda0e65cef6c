//! The result of one of the doctor's checks.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckVerdict {
    Pass,
    Warn,
    Fail,
}

impl CheckVerdict {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check: what was found, and the remedy.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: CheckVerdict,
    pub(super) found: String,
    pub(super) remedy: String,
}

pub(super) fn pass(name: &'static str, found: impl Into<String>) -> Check {
    Check {
        name,
        verdict: CheckVerdict::Pass,
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
        verdict: CheckVerdict::Warn,
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
        verdict: CheckVerdict::Fail,
        found: found.into(),
        remedy: remedy.into(),
    }
}

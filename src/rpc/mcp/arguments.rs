//! Reads the arguments of a call. A model wrote them, so anything may be wrong; the errors are for
//! the model.

use deskd_mcp::Arguments as Object;
use serde_json::Value;

/// The arguments of one call.
pub(super) struct Arguments {
    call: String,
    values: Object,
}

impl Arguments {
    /// Takes the arguments of the action `call`, which has those in `known` and no others.
    pub(super) fn new(call: &str, values: Object, known: &[&str]) -> Result<Self, String> {
        let values: Object = values
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect();
        let unknown = values.keys().find(|name| !known.contains(&name.as_str()));
        if let Some(name) = unknown {
            let names = match known {
                [] => "none".to_owned(),
                known => known.join(", "),
            };
            return Err(format!(
                "{call}: unknown argument {name:?}; it has: {names}"
            ));
        }
        Ok(Self {
            call: call.to_owned(),
            values,
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        let value = self.values.get(name);
        value.ok_or_else(|| format!("{}: {name} is required", self.call))
    }

    fn wrong(&self, name: &str, what: &str) -> String {
        format!("{}: {name} must be {what}", self.call)
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        let text = self.get(name)?.as_str().map(str::to_owned);
        text.ok_or_else(|| self.wrong(name, "a string"))
    }

    /// Whether a switch is on; off if it was not given.
    pub(super) fn switch(&self, name: &str) -> Result<bool, String> {
        match self.values.get(name) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.wrong(name, "true or false")),
        }
    }

    /// One of several words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<String, String> {
        let text = self.text(name)?;
        match words.contains(&text.as_str()) {
            true => Ok(text),
            false => Err(self.wrong(name, &format!("one of {}", words.join(", ")))),
        }
    }

    /// A list of strings.
    pub(super) fn words(&self, name: &str) -> Result<Vec<String>, String> {
        let list = self.get(name)?.as_array();
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let words: Option<Vec<String>> = list.and_then(|list| list.iter().map(word).collect());
        words.ok_or_else(|| self.wrong(name, "a list of strings"))
    }

    /// A whole number within limits.
    pub(super) fn whole(&self, name: &str, low: i32, high: i32) -> Result<i32, String> {
        let number = whole(self.get(name)?).filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| self.wrong(name, &format!("a whole number from {low} to {high}")))
    }

    /// A number of seconds, at most 300.
    pub(super) fn seconds(&self, name: &str) -> Result<f64, String> {
        let number = self
            .get(name)?
            .as_f64()
            .filter(|seconds| (0.0..=300.0).contains(seconds));
        number.ok_or_else(|| self.wrong(name, "a number from 0 to 300"))
    }

    /// A pair `[x, y]`, if the argument was given.
    pub(super) fn point(&self, name: &str) -> Result<Option<(i32, i32)>, String> {
        if !self.has(name) {
            return Ok(None);
        }
        match self.numbers(name)?[..] {
            [x, y] => Ok(Some((x, y))),
            _ => Err(self.wrong(name, "[x, y]")),
        }
    }

    /// A pair `[x, y]` that is required.
    pub(super) fn place(&self, name: &str) -> Result<(i32, i32), String> {
        self.get(name)?;
        let point = self.point(name)?;
        point.ok_or_else(|| self.wrong(name, "[x, y]"))
    }

    /// A list `[x0, y0, x1, y1]`: x, y, width and height.
    pub(super) fn region(&self, name: &str) -> Result<(i32, i32, u32, u32), String> {
        let [left, top, right, bottom] = self.numbers(name)?[..] else {
            return Err(self.wrong(name, "[x0, y0, x1, y1]"));
        };
        let side = |from: i32, to: i32| u32::try_from(to.checked_sub(from)?).ok();
        let (width, height) = (side(left, right), side(top, bottom));
        match (width, height) {
            (Some(width @ 1..), Some(height @ 1..)) => Ok((left, top, width, height)),
            _ => Err(format!(
                "{}: {name} must have x0 < x1 and y0 < y1",
                self.call
            )),
        }
    }

    fn numbers(&self, name: &str) -> Result<Vec<i32>, String> {
        let list = self.get(name)?.as_array();
        let numbers: Option<Vec<i32>> = list.and_then(|list| list.iter().map(whole).collect());
        numbers.ok_or_else(|| self.wrong(name, "a list of whole numbers"))
    }
}

/// A whole number of 32 bits, also one that is written as 40.0.
fn whole(value: &Value) -> Option<i32> {
    if let Some(number) = value.as_i64() {
        return i32::try_from(number).ok();
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    let is_inside = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    // The number is whole and within the limits, so the conversion is exact.
    #[expect(clippy::cast_possible_truncation)]
    is_inside.then_some(number as i32)
}

//! One line of the report: what was measured, the bound, and whether it was held.

use serde_json::{Value, json};

/// A number that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measured {
    /// How often: compared exactly.
    Count(u64),
    /// A time, a size or a ratio.
    Number(f64),
}

/// The bound of a row: from the least to the most, both allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    least: f64,
    most: f64,
    /// How many objects it is written for; at another number it says nothing.
    size: Option<usize>,
}

/// What a row says about its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Held,
    Missed,
    /// The bound is for another number of objects.
    OtherSize,
    Unbounded,
}

pub struct Row {
    pub what: String,
    /// The same of the floor, where it has it.
    pub floor: String,
    pub operator: String,
    pub measured: Measured,
    pub unit: &'static str,
    pub limit: Option<Limit>,
}

impl Measured {
    fn value(self) -> f64 {
        match self {
            // Exact below 2^53.
            Self::Count(count) => count as f64,
            Self::Number(number) => number,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            // Three digits, so that what is a little too much shows.
            Self::Number(number) => format!("{number:.3}"),
        }
    }
}

impl Limit {
    pub fn at_most(most: f64) -> Self {
        Self { least: 0.0, most, size: None }
    }

    pub fn exactly(count: usize) -> Self {
        Self::between(count, count)
    }

    pub fn between(least: usize, most: usize) -> Self {
        Self { least: least as f64, most: most as f64, size: None }
    }

    /// It is written for so many objects, and for no other number.
    pub fn at(self, size: usize) -> Self {
        Self { size: Some(size), ..self }
    }

    fn text(self) -> String {
        let Self { least, most, .. } = self;
        match least {
            _ if least == most => format!("= {most}"),
            0.0 => format!("≤ {most}"),
            _ => format!("{least}–{most}"),
        }
    }
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "MISSED",
            Self::OtherSize => "-",
            Self::Unbounded => "",
        }
    }
}

impl Row {
    /// The verdict with so many objects. What is no number, as a ratio to nothing, holds no bound.
    pub fn verdict(&self, objects: usize) -> Verdict {
        let Some(Limit { least, most, size }) = self.limit else { return Verdict::Unbounded };
        match self.measured.value() {
            _ if size.is_some_and(|size| size != objects) => Verdict::OtherSize,
            value if value >= least && value <= most => Verdict::Held,
            _ => Verdict::Missed,
        }
    }

    pub fn line(&self, objects: usize) -> String {
        let bound = self.limit.map(Limit::text).unwrap_or_default();
        let measured = format!("{} {}", self.measured.text(), self.unit);
        line([&self.what, &self.floor, &self.operator, measured.trim_end(), &bound, self.verdict(objects).text()])
    }

    pub fn json(&self, objects: usize) -> Value {
        let bound = self
            .limit
            .map(|Limit { least, most, size }| json!({ "at_least": least, "at_most": most, "for_objects": size }));
        let held = match self.verdict(objects) {
            Verdict::Held => Some(true),
            Verdict::Missed => Some(false),
            Verdict::OtherSize | Verdict::Unbounded => None,
        };
        json!({
            "what": self.what, "floor": self.floor, "operator": self.operator,
            "measured": self.measured.value(), "unit": self.unit, "bound": bound, "held": held,
        })
    }
}

/// One line of the table.
pub fn line([what, floor, operator, measured, bound, verdict]: [&str; 6]) -> String {
    let line = format!("{what:46} {floor:>10} {operator:>10} {measured:>15} {bound:>8}  {verdict}");
    line.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measured: Measured, limit: Limit) -> Row {
        let [what, floor, operator] = [const { String::new() }; 3];
        Row { what, floor, operator, measured, unit: "", limit: Some(limit) }
    }

    #[test]
    fn one_too_many_or_too_few_is_a_miss() {
        let verdict = |count| row(Measured::Count(count), Limit::exactly(1000)).verdict(1000);
        assert_eq!([999, 1000, 1001].map(verdict), [Verdict::Missed, Verdict::Held, Verdict::Missed]);
        let verdict = |ratio| row(Measured::Number(ratio), Limit::at_most(1.3)).verdict(1000);
        assert_eq!([1.3, 1.3001, f64::NAN].map(verdict), [Verdict::Held, Verdict::Missed, Verdict::Missed]);
    }

    #[test]
    fn a_bound_says_nothing_about_another_number_of_objects() {
        let row = row(Measured::Number(3.0), Limit::at_most(2.0).at(10_000));
        assert_eq!([1000, 10_000].map(|objects| row.verdict(objects)), [Verdict::OtherSize, Verdict::Missed]);
        assert_eq!([1000, 10_000].map(|objects| row.json(objects)["held"].clone()), [Value::Null, json!(false)]);
        assert!(row.line(10_000).ends_with("MISSED\n"));
    }

    #[test]
    fn a_limit_is_read_as_it_is_meant() {
        let limits = [Limit::exactly(0), Limit::at_most(1.3), Limit::between(20, 40), Limit::between(0, 20)];
        assert_eq!(limits.map(Limit::text), ["= 0", "≤ 1.3", "20–40", "≤ 20"]);
    }
}

//! The name that somebody may have meant who wrote another.

use std::fmt::Write;

use crate::text::quoted;

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.8;
/// Longer names are not compared: nobody typed them.
const LONGEST: usize = 256;
/// So many names are compared at most.
const MOST: usize = 10_000;

/// The names nearest to `wanted`, the nearest first, `most` of them.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    if wanted.len() > LONGEST {
        return Vec::new();
    }
    let names = names.into_iter().take(MOST);
    let names = names.filter(|name| name.len() <= LONGEST && *name != wanted);
    let folded = fold(wanted);
    let rated = names.map(|name| (alike(&folded, wanted, name), name));
    let mut rated: Vec<_> = rated.filter(|(alike, _)| *alike > ALIKE).collect();
    rated.sort_by(|(one, first), (other, second)| other.total_cmp(one).then(first.cmp(second)));
    rated.dedup_by(|(_, one), (_, other)| one == other);
    rated.into_iter().take(most).map(|(_, name)| name).collect()
}

/// Names that differ in case and separators only are the most alike.
fn alike(folded: &str, wanted: &str, name: &str) -> f64 {
    match !folded.is_empty() && folded == fold(name) {
        true => 1.0,
        false => strsim::jaro(wanted, name),
    }
}

fn fold(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// `; did you mean "one" or "two"?`, or nothing.
pub(crate) fn did_you_mean(names: &[&str]) -> String {
    let mut hint = String::new();
    for (at, name) in names.iter().enumerate() {
        let before = if at == 0 { "; did you mean " } else { " or " };
        let _ = write!(hint, "{before}{}", quoted(name));
    }
    if !names.is_empty() {
        hint.push('?');
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first_and_what_is_far_is_not_there() {
        let names = ["greet", "greeting", "farewell", "fleet"];
        assert_eq!(nearest("great", names, 3), ["greet"]);
        assert_eq!(nearest("greetin", names, 2), ["greeting", "greet"]);
        assert!(nearest("run", names, 3).is_empty());
        assert!(nearest("", names, 3).is_empty());
    }

    #[test]
    fn names_that_differ_in_case_and_separators_only_are_nearest() {
        assert_eq!(
            nearest("countVowels", ["count_vowel", "count_vowels"], 1),
            ["count_vowels"]
        );
        assert_eq!(nearest("RUN", ["run", "ruin"], 1), ["run"]);
    }

    #[test]
    fn what_nobody_typed_is_not_compared() {
        let long = "x".repeat(100_000);
        assert!(nearest(&long, [&*long, "x"], 3).is_empty());
        assert!(nearest("x", [&*long], 3).is_empty());
    }

    #[test]
    fn a_hint_names_each_escaped() {
        assert_eq!(did_you_mean(&[]), "");
        assert_eq!(
            did_you_mean(&["a\n", "b"]),
            r#"; did you mean "a\n" or "b"?"#
        );
    }
}

//! Finds the existing name that was probably meant by a misspelt one, for "did you mean".

use std::fmt::Write;

use crate::text::quoted;

/// The least similarity of two names, from 0 to 1.
const ALIKE: f64 = 0.8;
/// Longer names are not compared, because no person typed them.
const LONGEST: usize = 256;
/// The most names that are compared.
const MOST: usize = 10_000;

/// At most `most` names that are similar to `wanted`, the most similar first.
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

/// The similarity of two names. It is greatest for names that differ in case and separators only.
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

/// The hint `; did you mean "one" or "two"?`. It is empty if there are no names.
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
    fn nearest_name_comes_first_and_dissimilar_names_are_absent() {
        let names = ["greet", "greeting", "farewell", "fleet"];
        assert_eq!(nearest("great", names, 3), ["greet"]);
        assert_eq!(nearest("greetin", names, 2), ["greeting", "greet"]);
        assert!(nearest("run", names, 3).is_empty());
        assert!(nearest("", names, 3).is_empty());
    }

    #[test]
    fn name_that_differs_in_case_and_separators_only_is_nearest() {
        assert_eq!(
            nearest("countVowels", ["count_vowel", "count_vowels"], 1),
            ["count_vowels"]
        );
        assert_eq!(nearest("RUN", ["run", "ruin"], 1), ["run"]);
    }

    #[test]
    fn names_longer_than_the_limit_are_not_compared() {
        let long = "x".repeat(100_000);
        assert!(nearest(&long, [&*long, "x"], 3).is_empty());
        assert!(nearest("x", [&*long], 3).is_empty());
    }

    #[test]
    fn hint_quotes_and_escapes_each_name() {
        assert_eq!(did_you_mean(&[]), "");
        assert_eq!(
            did_you_mean(&["a\n", "b"]),
            r#"; did you mean "a\n" or "b"?"#
        );
    }
}

//! Explains why a name cannot be called as a plugin function, and suggests the names that may be meant.

use vitrine_rewrite::{Extern, ModuleType};
use wasmparser::ValType;

use crate::error::{Error, Reason};
use crate::nearest::{did_you_mean, nearest};
use crate::text::quoted;

/// The most names that a message lists.
const MOST: usize = 10;

/// Why the function `name` of the module at `main` cannot be called, or `None` if it can.
pub(crate) fn not_callable(
    name: &str,
    modules: &[(&str, &ModuleType)],
    main: usize,
) -> Option<Error> {
    let (own_name, own) = modules.get(main)?;
    let name_in_quotes = quoted(name);
    let why = match own.exports.iter().find(|export| export.name == name) {
        Some(export) => match export.ty {
            Extern::Function(ty) => {
                let ty = own.function(ty)?;
                let count = match (ty.params(), ty.results()) {
                    ([], [] | [ValType::I32]) => return None,
                    ([], [result]) => format!("the result {result}"),
                    ([], results) => format!("{} results", results.len()),
                    ([_], _) => "1 parameter".into(),
                    (params, _) => format!("{} parameters", params.len()),
                };
                format!(
                    "the function {name_in_quotes} has {count}; a plugin function has no parameters, and no result or an i32"
                )
            }
            other => format!(
                "the export {name_in_quotes} is a {} and not a function",
                other.kind()
            ),
        },
        None => {
            let hint = elsewhere(name, modules, main, own_name).unwrap_or_else(|| known(name, own));
            format!("the plugin has no function {name_in_quotes}{hint}")
        }
    };
    Some(Error::new(Reason::FunctionNotFound, why))
}

/// The hint that another module exports the function.
fn elsewhere(
    name: &str,
    modules: &[(&str, &ModuleType)],
    main: usize,
    own: &str,
) -> Option<String> {
    let mut others = modules.iter().enumerate().filter(|(at, _)| *at != main);
    let (_, (module, _)) = others.find(|(_, (_, interface))| {
        let mut exports = interface.exports.iter();
        exports.any(|export| export.name == name && matches!(export.ty, Extern::Function(_)))
    })?;
    Some(format!(
        "; its module {} has one, and calls go to the module {}",
        quoted(module),
        quoted(own)
    ))
}

/// The hint that lists the nearest names or, if none is near, the names that exist.
fn known(name: &str, own: &ModuleType) -> String {
    let near = nearest(name, own.plugin_functions(), 3);
    if !near.is_empty() {
        return did_you_mean(&near);
    }
    let names: Vec<_> = own.plugin_functions().map(quoted).collect();
    match names.len() {
        0 => "; it exports none that can be called: a plugin function has no parameters, and no result or an i32".into(),
        count if count > MOST => {
            format!("; its functions are {} and {} more", names[..MOST].join(", "), count - MOST)
        }
        _ => format!("; its functions are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ModuleType {
        ModuleType::read(&wat::parse_str(format!("(module {text})")).unwrap()).unwrap()
    }

    fn why(name: &str, main: &str) -> Option<String> {
        let (main, lib) = (read(main), read(r#"(func (export "greet"))"#));
        let modules = [("lib", &lib), ("main", &main)];
        not_callable(name, &modules, 1).map(|error| error.message)
    }

    #[test]
    fn error_for_an_unknown_function_suggests_names_or_gives_the_type_that_is_wrong() {
        let functions = r#"(func (export "count_vowels")) (func (export "run") (result i32) (i32.const 0))
            (func (export "takes") (param i32 i64)) (memory (export "memory") 1)
            (func (export "two") (result i32 i32) (unreachable)) (func (export "odd") (result f64) (unreachable))"#;
        let why = |name| why(name, functions);
        assert_eq!(why("run"), None);
        assert_eq!(
            why("countVowels").unwrap(),
            r#"the plugin has no function "countVowels"; did you mean "count_vowels"?"#
        );
        assert_eq!(
            why("x\n").unwrap(),
            r#"the plugin has no function "x\n"; its functions are "count_vowels", "run""#
        );
        assert_eq!(
            why("greet").unwrap(),
            r#"the plugin has no function "greet"; its module "lib" has one, and calls go to the module "main""#
        );
        assert_eq!(
            why("takes").unwrap(),
            r#"the function "takes" has 2 parameters; a plugin function has no parameters, and no result or an i32"#
        );
        assert!(
            why("two")
                .unwrap()
                .starts_with(r#"the function "two" has 2 results;"#)
        );
        assert_eq!(
            why("odd").unwrap(),
            r#"the function "odd" has the result f64; a plugin function has no parameters, and no result or an i32"#
        );
        assert_eq!(
            why("memory").unwrap(),
            r#"the export "memory" is a memory and not a function"#
        );
    }

    #[test]
    fn error_for_an_unknown_function_lists_ten_names_and_says_when_there_are_none() {
        let many: String = (10..32)
            .map(|n| format!(r#"(func (export "{n}"))"#))
            .collect();
        assert!(
            why("run", &many)
                .unwrap()
                .ends_with(r#""18", "19" and 12 more"#)
        );
        assert!(
            why("run", "")
                .unwrap()
                .contains("it exports none that can be called")
        );
    }
}

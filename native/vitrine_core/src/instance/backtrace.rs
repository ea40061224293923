//! Makes backtraces readable: names as they are in the source, and a recursion only once.

use std::borrow::Cow;

use crate::error::Frame;

/// The length of the longest circle of calls that is recognised, in frames.
const LONGEST: usize = 8;
/// The length of the longest name that is demangled.
const LONGEST_NAME: usize = 2_048;

/// Demangles a name of Rust. Any other name stays as it is.
pub(crate) fn demangled(name: &str) -> Cow<'_, str> {
    if name.len() > LONGEST_NAME {
        return name.into();
    }
    if let Ok(known) = rustc_demangle::try_demangle(name) {
        return format!("{known:#}").into();
    }
    // The linker may have demangled the part of the name that C++ mangles in the same way.
    half_mangled(name)
        .and_then(|name| {
            let known = rustc_demangle::try_demangle(&name).ok()?;
            Some(format!("{known:#}").into())
        })
        .unwrap_or(name.into())
}

/// Undoes the linker's demangling of a name that ends as only names of Rust do: `a::b::h0123456789abcdef`.
fn half_mangled(name: &str) -> Option<String> {
    let (_, hash) = name.rsplit_once("::h")?;
    if hash.len() != 16 || !hash.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let parts = name.split("::").map(|part| format!("{}{part}", part.len()));
    Some(format!("_ZN{}E", parts.collect::<String>()))
}

/// Collapses calls that repeat to a single circle. Its last frame says how often it repeats after the first time.
pub(crate) fn collapse(frames: Vec<Frame>) -> Vec<Frame> {
    let mut collapsed = Vec::with_capacity(frames.len());
    let mut rest = &frames[..];
    while let Some(first) = rest.first() {
        let circle = (1..=LONGEST.min(rest.len() / 2)).find_map(|length| {
            let again = repeats(rest, length);
            (again >= 2 || again >= 1 && length > 1).then_some((length, again))
        });
        let Some((length, again)) = circle else {
            collapsed.push(first.clone());
            rest = &rest[1..];
            continue;
        };
        collapsed.extend_from_slice(&rest[..length]);
        if let Some(last) = collapsed.last_mut() {
            last.repeated = Some((length as u32, again as u32));
        }
        rest = &rest[length * (again + 1)..];
    }
    collapsed
}

/// How often the first `length` frames repeat after the first time.
fn repeats(frames: &[Frame], length: usize) -> usize {
    let (first, rest) = frames.split_at(length);
    rest.chunks_exact(length)
        .take_while(|chunk| *chunk == first)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(index: u32) -> Frame {
        Frame {
            function: None,
            index,
            offset: Some(index as usize * 10),
            file: None,
            line: None,
            repeated: None,
        }
    }

    fn collapsed(indices: &[u32]) -> Vec<(u32, Option<(u32, u32)>)> {
        let frames = indices.iter().map(|index| frame(*index)).collect();
        let collapsed = collapse(frames).into_iter();
        collapsed.map(|f| (f.index, f.repeated)).collect()
    }

    #[test]
    fn a_recursion_collapses_to_one_frame_with_a_count() {
        let recursion = [&[7][..], &[1; 19]].concat();
        assert_eq!(collapsed(&recursion), [(7, None), (1, Some((1, 18)))]);
    }

    #[test]
    fn mutual_recursion_collapses_to_one_circle_with_a_count() {
        let circle: Vec<u32> = (0..20).map(|at| at % 3).collect();
        assert_eq!(
            collapsed(&circle),
            [
                (0, None),
                (1, None),
                (2, Some((3, 5))),
                (0, None),
                (1, None)
            ]
        );
    }

    #[test]
    fn frames_that_do_not_repeat_stay_as_they_are() {
        for frames in [&[][..], &[1], &[1, 2, 3], &[1, 1, 2], &[1, 2, 3, 1]] {
            let expected: Vec<_> = frames.iter().map(|index| (*index, None)).collect();
            assert_eq!(collapsed(frames), expected);
        }
    }

    #[test]
    fn only_names_of_rust_are_demangled() {
        let cases = [
            (
                "_ZN4core9panicking5panic17h0123456789abcdefE",
                "core::panicking::panic",
            ),
            (
                "core::panicking::panic::h0123456789abcdef",
                "core::panicking::panic",
            ),
            (
                "_$LT$alloc..string..String$u20$as$u20$core..fmt..Write$GT$::write_str::h0123456789abcdef",
                "<alloc::string::String as core::fmt::Write>::write_str",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("main.panics", "main.panics"),
            (
                "std::vector<int>::push_back(int)",
                "std::vector<int>::push_back(int)",
            ),
            ("a::h012345678", "a::h012345678"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(demangled(name), expected);
        }
    }

    #[test]
    fn demangling_a_name_that_refers_to_itself_takes_little_stack_and_memory() {
        let references = ["RB_", "INvB_", "TB_B_", "FB_EB_"].map(|again| {
            let mut name = String::from("_RINvC1a1b");
            while name.len() + again.len() < LONGEST_NAME {
                name.push_str(again);
            }
            name
        });
        let names = references.into_iter().chain(["_RNvC".repeat(400)]);
        for name in names {
            let small = std::thread::Builder::new().stack_size(128 << 10);
            let run = move || demangled(&name).len();
            let length = small
                .spawn(run)
                .expect("a thread")
                .join()
                .expect("no overflow");
            assert!(length < 2 << 20);
        }
    }
}

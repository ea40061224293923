//! Sections, names and limits of a module whose bulk instructions are split.

use std::borrow::Cow;

use vitrine_rewrite::bulk::make_interruptible;
use wasm_encoder::{
    CodeSection, Function, FunctionSection, Instruction, MemorySection, MemoryType, TypeSection,
    ValType,
};
use wasmparser::{KnownCustom, Name, Parser, Payload, Validator, WasmFeatures};

use crate::binary;

const FILL: &str = "(func (export \"fill\") (param i32 i32 i32)
    (memory.fill (local.get 0) (local.get 1) (local.get 2)))";

fn is_untouched(wat: &str) -> bool {
    let wasm = binary(wat);
    matches!(make_interruptible(&wasm).expect("a module"), Cow::Borrowed(same) if same == wasm)
}

fn validate(wasm: &[u8]) {
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(wasm)
        .expect("a valid module");
}

/// The custom sections, by name.
fn customs(wasm: &[u8]) -> Vec<(String, Vec<u8>)> {
    let payloads = Parser::new(0)
        .parse_all(wasm)
        .map(|payload| payload.expect("a section"));
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(custom) => Some((custom.name().into(), custom.data().into())),
            _ => None,
        })
        .collect()
}

fn function_names(wasm: &[u8]) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(custom) = payload.expect("a section") else {
            continue;
        };
        let KnownCustom::Name(names) = custom.as_known() else {
            continue;
        };
        for name in names {
            if let Name::Function(map) = name.expect("a name") {
                let namings = map.into_iter().map(|naming| naming.expect("a name"));
                all.extend(namings.map(|naming| (naming.index, naming.name.to_owned())));
            }
        }
    }
    all
}

#[test]
fn instructions_that_cannot_take_long_stay_as_they_are() {
    assert!(is_untouched("(module)"));
    assert!(is_untouched("(module (memory 1))"));
    assert!(is_untouched(
        "(module (memory 1) (func (i32.store (i32.const 0xfcfc) (i32.const 0xfb))))"
    ));
    // The length is a constant.
    assert!(is_untouched(
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 32768))))"
    ));
    // The table cannot grow, and the segment is short.
    let operands = "(i32.const 0) (i32.const 0) (local.get 0)";
    assert!(is_untouched(&format!(
        "(module (table 8 1024 funcref) (elem $e func) (func (param i32) (table.copy {operands})
           (table.fill (i32.const 0) (ref.null func) (local.get 0)) (table.init 0 $e {operands})))"
    )));
    assert!(is_untouched(&format!(
        "(module (memory 1) (data \"short\") (func (param i32) (memory.init 0 {operands})))"
    )));
    assert!(is_untouched(&format!("(module (memory 0 0) {FILL})")));
    assert!(!is_untouched(&format!("(module (memory 1) {FILL})")));
    assert!(!is_untouched(&format!("(module (memory 1 1) {FILL})")));
}

#[test]
fn helpers_come_last_and_have_names() {
    let wasm = binary(&format!(
        "(module $name (import \"\" \"f\" (func $f)) (memory 1) {FILL}
           (func $last (param i32)
             (memory.copy (i32.const 0) (local.get 0) (local.get 0))
             (memory.copy (i32.const 9) (local.get 0) (local.get 0))))"
    ));
    let new = make_interruptible(&wasm).expect("a module");
    validate(&new);
    let expected = [
        (0, "f"),
        (2, "last"),
        (3, "vitrine.memory.fill"),
        (4, "vitrine.memory.copy"),
    ];
    assert_eq!(
        function_names(&new),
        expected.map(|(index, name)| (index, name.to_owned()))
    );
    assert_eq!(
        make_interruptible(&wasm).expect("a module"),
        new,
        "it is deterministic"
    );
}

#[test]
fn a_module_without_names_gets_names_for_the_helpers_only() {
    for names in ["", "(@custom \"name\" \"\\07broken\")"] {
        let wasm = binary(&format!("(module (memory 1) {FILL} {names})"));
        let new = make_interruptible(&wasm).expect("a module");
        validate(&new);
        assert!(new.windows(19).any(|bytes| bytes == b"vitrine.memory.fill"));
    }
}

#[test]
fn custom_sections_stay_except_those_about_places_in_the_code() {
    let wasm = binary(&format!(
        "(module (@custom \"first\" (before first) \"1\") (memory 1) {FILL}
           (@custom \".debug_info\" \"x\") (@custom \"metadata.code.branch_hint\" \"\\00\")
           (@custom \"sourceMappingURL\" \"x\") (@custom \"producers\" \"\\00\") (@custom \"last\" \"2\"))"
    ));
    let new = make_interruptible(&wasm).expect("a module");
    let kept = customs(&new)
        .into_iter()
        .filter(|(name, _)| name != "name")
        .collect::<Vec<_>>();
    let expected = [("first", &b"1"[..]), ("producers", &[0]), ("last", b"2")];
    assert_eq!(
        kept,
        expected.map(|(name, data)| (name.to_owned(), data.to_vec()))
    );
}

/// A module with one function of three `i32`s.
fn module(locals: u32, code: impl Fn(&mut Function)) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 3], []);
    let mut memories = MemorySection::new();
    let unbounded = MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    memories.memory(unbounded);
    let mut function = Function::new([(locals, ValType::I32)]);
    code(&mut function);
    function.instruction(&Instruction::End);
    module
        .section(&types)
        .section(FunctionSection::new().function(0))
        .section(&memories)
        .section(CodeSection::new().function(&function));
    module.finish()
}

fn fill(function: &mut Function) {
    for local in 0..3 {
        function.instruction(&Instruction::LocalGet(local));
    }
    function.instruction(&Instruction::MemoryFill(0));
}

#[test]
fn a_deeply_nested_function_is_rewritten() {
    let deep = 200_000;
    let wasm = module(0, |function| {
        for _ in 0..deep {
            function.instruction(&Instruction::Block(wasm_encoder::BlockType::Empty));
        }
        fill(function);
        for _ in 0..deep {
            function.instruction(&Instruction::End);
        }
    });
    validate(&make_interruptible(&wasm).expect("a module"));
}

/// Without room for two more locals the helper is called unconditionally.
#[test]
fn a_function_without_room_for_locals_is_rewritten() {
    for locals in [49_997, 49_996, 49_995, 49_994] {
        let wasm = module(locals, fill);
        validate(&wasm);
        let new = make_interruptible(&wasm).expect("a module");
        assert_ne!(new, wasm);
        validate(&new);
    }
}

/// Without room for more code the helper is called unconditionally, too.
#[test]
fn a_function_without_room_for_code_is_rewritten() {
    let wasm = module(0, |function| (0..850_000).for_each(|_| fill(function)));
    validate(&wasm);
    validate(&make_interruptible(&wasm).expect("a module"));
}

#[test]
fn a_module_with_too_many_different_instructions_is_refused() {
    let count = 101;
    let types = "(type (array (mut i32)))".repeat(count);
    let copies: String = (0..count * count)
        .map(|n| {
            let (dst, src) = (n / count, n % count);
            format!(
                "(array.copy {dst} {src} (ref.null {dst}) (local.get 0) (ref.null {src}) (local.get 0) (local.get 0))"
            )
        })
        .collect();
    let wasm = binary(&format!("(module {types} (func (param i32) {copies}))"));
    let error = make_interruptible(&wasm).expect_err("too many helpers");
    assert!(error.to_string().contains("too many"), "{error}");
}

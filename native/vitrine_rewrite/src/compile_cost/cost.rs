//! The cost of one instruction for the compiler.

use wasmparser::{
    CompositeInnerType, FuncValidator, ModuleArity, Operator, StorageType, ValType,
    WasmModuleResources,
};

/// The counts of one instruction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// The number of operands that it takes.
    pub(super) takes: u64,
    /// The number of values that it takes and gives. A `br_table` takes them for each of its targets.
    pub(super) values: u64,
    /// The number of branches in its code, the ends of blocks included.
    pub(super) branches: u64,
    /// The count is 1, or 0 if the instruction only names a value.
    pub(super) instructions: u64,
    /// The count is 1 if the instruction can call a function of the guest or of the host.
    pub(super) calls: u64,
    /// The count is 1 if the instruction is a loop.
    pub(super) loops: u64,
}

/// The branches of an access with a bounds check, whose failure is a path that is seldom taken.
const CHECKED: u64 = 8;
/// The branches of such an access and a call whose type is compared.
const INDIRECT: u64 = 12;
/// The branches of such an access to a function in a table, which is made when it is first read.
const LAZY: u64 = 24;
/// The branches of an instruction that looks at the kind of a reference, or counts a reference that goes elsewhere.
const TRACED: u64 = 16;
/// The branches of an instruction that goes over many references.
const MANY: u64 = 32;
/// The branches of an instruction that goes over many references in both directions, and counts the references that it
/// overwrites.
const COPIED: u64 = 100;

impl Cost {
    pub(super) fn of<R: WasmModuleResources>(
        operator: &Operator<'_>,
        validator: &mut FuncValidator<R>,
        resources: &R,
        at: usize,
    ) -> Cost {
        let (takes, gives) = arity(operator, validator, at);
        let branches = branches(operator, validator, resources);
        let values = match operator {
            Operator::BrTable { targets } => (takes + 1) * (u64::from(targets.len()) + 1),
            Operator::StructNewDefault { struct_type_index } => {
                fields(validator, *struct_type_index).count() as u64 + gives
            }
            _ => takes + gives,
        };
        let calls = can_throw(operator) || branches >= CHECKED && !is_branch(operator);
        let is_loop = matches!(operator, Operator::Loop { .. });
        Cost {
            takes,
            values,
            branches,
            instructions: u64::from(!is_name(operator)),
            // Each iteration of a loop checks the epoch.
            calls: u64::from(calls || is_loop),
            loops: is_loop.into(),
        }
    }
}

fn arity<R: WasmModuleResources>(
    operator: &Operator<'_>,
    validator: &mut FuncValidator<R>,
    at: usize,
) -> (u64, u64) {
    let arity = operator.operator_arity(&validator.visitor(at));
    arity.map_or((0, 0), |(takes, gives)| (takes.into(), gives.into()))
}

/// Whether an instruction can throw.
pub(super) fn can_throw(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
    )
}

/// Returns true if an instruction becomes no machine instruction, or one that can stand anywhere.
fn is_name(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::Drop
            | Operator::Nop
            | Operator::Block { .. }
    )
}

fn is_branch(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
    )
}

/// The branches in the code of an instruction. They were measured by compiling a thousand of each instruction with two
/// thousand live values.
fn branches<R: WasmModuleResources>(
    operator: &Operator<'_>,
    validator: &FuncValidator<R>,
    resources: &R,
) -> u64 {
    use Operator as Op;
    let traced = |traced: bool| if traced { TRACED } else { 0 };
    match operator {
        Op::BrTable { targets } => u64::from(targets.len()) + 1,
        branch if is_branch(branch) => 1,
        Op::CallIndirect { .. } | Op::ReturnCallIndirect { .. } => INDIRECT,
        Op::MemoryGrow { .. }
        | Op::MemoryFill { .. }
        | Op::MemoryCopy { .. }
        | Op::MemoryInit { .. } => CHECKED,
        Op::GlobalGet { global_index } | Op::GlobalSet { global_index } => {
            let global = resources.global_at(*global_index);
            traced(global.is_some_and(|global| is_traced(global.content_type)))
        }
        Op::TableGet { table } | Op::TableSet { table } => {
            let table = resources.table_at(*table);
            match table.is_none_or(|table| table.element_type.is_func_ref()) {
                true if matches!(operator, Op::TableGet { .. }) => LAZY,
                true => CHECKED,
                false => TRACED,
            }
        }
        Op::StructGet {
            struct_type_index,
            field_index,
        }
        | Op::StructSet {
            struct_type_index,
            field_index,
        } => {
            let mut fields = fields(validator, *struct_type_index);
            traced(
                fields
                    .nth(*field_index as usize)
                    .is_some_and(|traced| traced),
            )
        }
        Op::StructNew { struct_type_index } => {
            let references = fields(validator, *struct_type_index).filter(|traced| *traced);
            CHECKED + CHECKED * references.count() as u64
        }
        Op::StructNewDefault { .. } => CHECKED,
        Op::ArrayNewFixed {
            array_type_index,
            array_size,
        } => {
            let of_references = fields(validator, *array_type_index).any(|traced| traced);
            let each = if of_references { TRACED } else { CHECKED };
            CHECKED + each * u64::from(*array_size)
        }
        Op::ArrayGet { array_type_index }
        | Op::ArrayGetS { array_type_index }
        | Op::ArrayGetU { array_type_index }
        | Op::ArraySet { array_type_index } => {
            traced(fields(validator, *array_type_index).any(|traced| traced))
        }
        Op::ArrayNew { array_type_index } | Op::ArrayFill { array_type_index } => {
            let of_references = fields(validator, *array_type_index).any(|traced| traced);
            if of_references { MANY } else { TRACED }
        }
        Op::ArrayCopy {
            array_type_index_dst,
            ..
        } => {
            let of_references = fields(validator, *array_type_index_dst).any(|traced| traced);
            if of_references { COPIED } else { TRACED }
        }
        Op::ArrayNewDefault { .. }
        | Op::ArrayNewData { .. }
        | Op::ArrayNewElem { .. }
        | Op::ArrayInitData { .. }
        | Op::ArrayInitElem { .. }
        | Op::RefTestNonNull { .. }
        | Op::RefTestNullable { .. }
        | Op::RefCastNonNull { .. }
        | Op::RefCastNullable { .. }
        | Op::BrOnCast { .. }
        | Op::BrOnCastFail { .. } => TRACED,
        Op::TableGrow { .. } | Op::TableFill { .. } => MANY,
        Op::TableCopy { .. } | Op::TableInit { .. } => COPIED,
        _ => 0,
    }
}

/// For each field of a struct, or for the element of an array, whether it is a reference that calls keep track of.
fn fields<R: WasmModuleResources>(
    validator: &FuncValidator<R>,
    index: u32,
) -> impl Iterator<Item = bool> {
    let ty = validator.sub_type_at(index);
    let fields = match ty.map(|ty| &ty.composite_type.inner) {
        Some(CompositeInnerType::Struct(ty)) => &ty.fields[..],
        Some(CompositeInnerType::Array(ty)) => std::slice::from_ref(&ty.0),
        _ => &[],
    };
    fields.iter().map(|field| match field.element_type {
        StorageType::Val(ty) => is_traced(ty),
        _ => false,
    })
}

/// Returns true if calls keep track of a value, so that it is not collected. Such a value is a reference to anything
/// but a function.
pub(super) fn is_traced(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if !ty.is_func_ref())
}

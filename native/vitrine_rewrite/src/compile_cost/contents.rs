//! The cost of the parts of a module that are not code of functions.
//!
//! Wasmtime compiles one function from the initialisers of tables, memories and globals, except for the simplest cases,
//! and two functions for each function type. The costs here were measured by compiling thousands of each item. The time
//! for references that are collected grows with their square: each is followed by branches, over which the compiler
//! remembers all references that were written.

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, Operator, Payload, RefType,
    StorageType, TableInit, TableType, TypeRef, ValType,
};

use super::bounds::{Allowed, Excess, refused};
use super::cost::is_traced;
use crate::error::Error;

type Result<T> = std::result::Result<T, wasmparser::BinaryReaderError>;

/// The limits by the size of the module.
const TIME: Allowed = Allowed::new(500_000, (1, 4));
const REFERENCES: Allowed = Allowed::new(2_000, (1, 1024));
const SEGMENTS: Allowed = Allowed::new(5_000, (1, 32));

/// The costs of items, in microseconds.
const PLAIN: u64 = 5;
const OPERATOR: u64 = 5;
const FUNCTION_TYPE: u64 = 100;
const PARAMETER: u64 = 8;
const GLOBAL_GET: u64 = 15;
const REF_FUNC: u64 = 50;
const TRACED: u64 = 100;
const NEW: u64 = 60;
const NEW_ARRAY: u64 = 200;
const FIELD: u64 = 60;
const SEGMENT: u64 = 90;
const FILL: u64 = 300;
const PASSIVE_FUNCTION: u64 = 8;
const PASSIVE_REFERENCE: u64 = 40;
const TABLE_SET: u64 = 30;
const TABLE_SET_TRACED: u64 = 170;
/// The number of elements per microsecond of a table that is filled at compile time.
const FILLED: u64 = 16;
/// The largest table that is filled at compile time.
const MAX_FILLED: u64 = 1 << 20;

/// The contents of a module besides its code, and the facts that are needed to count the rest.
#[derive(Default)]
pub(super) struct Contents {
    microseconds: u64,
    /// The number of references that are collected and that initialisers write or read.
    references: u64,
    /// The number of data segments that are copied into a memory when an instance begins. Some compilers make one
    /// segment for each few dozen bytes.
    segments: u64,
    /// The number of fields of each type.
    fields: Vec<u64>,
    /// For each global, whether it is a reference that is collected.
    globals: Vec<bool>,
    tables: Vec<Table>,
    /// Whether tables are no longer filled at compile time.
    is_dynamic: bool,
}

struct Table {
    is_imported: bool,
    ty: TableType,
}

impl Contents {
    /// Counts the contents of a valid section.
    pub(super) fn add(
        &mut self,
        payload: &Payload<'_>,
        bytes: usize,
    ) -> std::result::Result<(), Error> {
        self.count(payload)?;
        let bytes = bytes as u64;
        let counted = [
            (self.references, REFERENCES, "references in initialisers"),
            (self.segments, SEGMENTS, "data segments"),
            (
                self.microseconds,
                TIME,
                "microseconds' worth of types, imports, exports, elements and globals",
            ),
        ];
        for (count, allowed, what) in counted {
            let allowed = allowed.of(bytes);
            if count > allowed {
                let excess = Excess {
                    count,
                    what,
                    allowed,
                    bytes,
                    of: "",
                };
                return Err(refused(format_args!("the module has {excess}")));
            }
        }
        Ok(())
    }

    /// The estimated time.
    pub(super) fn microseconds(&self) -> u64 {
        self.microseconds + self.segments * SEGMENT + self.references * self.references / 40
    }

    fn count(&mut self, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups.clone() {
                    for ty in group?.types() {
                        self.ty(&ty.composite_type.inner);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    self.import(import?.ty);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let table = table?;
                    self.table(table.ty, false);
                    if let TableInit::Expr(value) = &table.init {
                        self.microseconds += FILL + table.ty.initial.min(MAX_FILLED) / FILLED;
                        self.expression(value)?;
                    }
                }
            }
            Payload::TagSection(tags) => self.microseconds += PLAIN * u64::from(tags.count()),
            Payload::GlobalSection(globals) => {
                for global in globals.clone() {
                    let global = global?;
                    self.global(global.ty.content_type);
                    self.microseconds += PLAIN;
                    if is_traced(global.ty.content_type) {
                        (self.microseconds, self.references) =
                            (self.microseconds + TRACED, self.references + 1);
                    }
                    self.expression(&global.init_expr)?;
                }
            }
            Payload::ExportSection(exports) => {
                self.microseconds += PLAIN * u64::from(exports.count())
            }
            Payload::ElementSection(elements) => {
                for element in elements.clone() {
                    let element = element?;
                    self.element(&element.kind, &element.items)?;
                }
            }
            Payload::DataSection(data) => {
                for data in data.clone() {
                    self.microseconds += PLAIN;
                    if let DataKind::Active { offset_expr, .. } = data?.kind {
                        self.segments += 1;
                        self.expression(&offset_expr)?;
                    }
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn ty(&mut self, ty: &CompositeInnerType) {
        self.microseconds += PLAIN;
        let traced = |ty: &StorageType| matches!(ty, StorageType::Val(ty) if is_traced(*ty));
        let fields = match ty {
            CompositeInnerType::Func(ty) => {
                let values = ty.params().len() + ty.results().len();
                self.microseconds += FUNCTION_TYPE + PARAMETER * values as u64;
                0
            }
            CompositeInnerType::Struct(ty) => {
                let fields = ty.fields.iter();
                fields
                    .map(|field| 1 + u64::from(traced(&field.element_type)))
                    .sum()
            }
            CompositeInnerType::Array(ty) => 1 + u64::from(traced(&ty.0.element_type)),
            _ => 0,
        };
        self.fields.push(fields);
    }

    fn import(&mut self, ty: TypeRef) {
        self.microseconds += PLAIN;
        match ty {
            TypeRef::Global(ty) => self.global(ty.content_type),
            TypeRef::Table(ty) => self.table(ty, true),
            _ => (),
        }
    }

    fn global(&mut self, ty: ValType) {
        self.globals.push(is_traced(ty));
    }

    fn table(&mut self, ty: TableType, is_imported: bool) {
        self.microseconds += PLAIN;
        self.tables.push(Table { is_imported, ty });
    }

    fn element(&mut self, kind: &ElementKind<'_>, items: &ElementItems<'_>) -> Result<()> {
        self.microseconds += PLAIN;
        let (count, traced) = match items {
            ElementItems::Functions(items) => (u64::from(items.count()), false),
            ElementItems::Expressions(ty, items) => {
                if !matches!(kind, ElementKind::Declared) {
                    for item in items.clone() {
                        self.expression(&item?)?;
                    }
                }
                (u64::from(items.count()), is_traced_ref(*ty))
            }
        };
        let each = match kind {
            ElementKind::Declared => 0,
            ElementKind::Passive if traced => PASSIVE_REFERENCE,
            ElementKind::Passive => PASSIVE_FUNCTION,
            ElementKind::Active {
                table_index,
                offset_expr,
            } => {
                self.expression(offset_expr)?;
                let table = self.tables.get(table_index.unwrap_or(0) as usize);
                let is_static = matches!(items, ElementItems::Functions(_))
                    && table.is_some_and(|table| is_filled(table, offset_expr, count));
                self.is_dynamic |= !is_static;
                match (self.is_dynamic, traced) {
                    (false, _) => 0,
                    (true, false) => TABLE_SET,
                    (true, true) => {
                        self.references += count;
                        TABLE_SET_TRACED
                    }
                }
            }
        };
        self.microseconds += each * count + count / FILLED;
        Ok(())
    }

    /// Counts a constant expression.
    fn expression(&mut self, expression: &ConstExpr<'_>) -> Result<()> {
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            let (time, references) = match operators.read()? {
                Operator::End => (0, 0),
                Operator::GlobalGet { global_index } => {
                    match self.globals.get(global_index as usize) {
                        Some(true) => (TRACED, 1),
                        _ => (GLOBAL_GET, 0),
                    }
                }
                Operator::RefFunc { .. } => (REF_FUNC, 0),
                Operator::StructNew { struct_type_index } => {
                    let fields = self.fields.get(struct_type_index as usize);
                    (NEW + FIELD * fields.copied().unwrap_or(0) / 4, 1)
                }
                Operator::StructNewDefault { struct_type_index } => {
                    let fields = self.fields.get(struct_type_index as usize);
                    (NEW + FIELD * fields.copied().unwrap_or(0) / 4, 1)
                }
                Operator::ArrayNewFixed {
                    array_type_index,
                    array_size,
                } => {
                    let each = self.fields.get(array_type_index as usize).copied();
                    let fields = u64::from(array_size) * each.unwrap_or(1);
                    (NEW_ARRAY + FIELD * fields / 2, 1)
                }
                Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } => (NEW_ARRAY, 1),
                _ => (OPERATOR, 0),
            };
            self.microseconds += time;
            self.references += references;
        }
        Ok(())
    }
}

fn is_traced_ref(ty: RefType) -> bool {
    is_traced(ValType::Ref(ty))
}

/// Returns true if a segment of functions is put into its table at compile time, provided that the segments before it
/// are.
fn is_filled(table: &Table, offset: &ConstExpr<'_>, count: u64) -> bool {
    let mut operators = offset.get_operators_reader();
    let offset = match operators.read() {
        Ok(Operator::I32Const { value }) => u64::from(value.cast_unsigned()),
        Ok(Operator::I64Const { value }) => value.cast_unsigned(),
        _ => return false,
    };
    let end = offset.saturating_add(count);
    matches!(operators.read(), Ok(Operator::End))
        && !table.is_imported
        && table.ty.element_type.is_func_ref()
        && end <= table.ty.initial.min(MAX_FILLED)
}

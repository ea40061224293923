//! The parts of a helper: instructions of one of the two index types.

use wasm_encoder::{InstructionSink, ValType};

use super::helper::Code;

impl Code<'_> {
    pub(super) fn sink(&mut self) -> InstructionSink<'_> {
        self.function.instructions()
    }

    /// Pushes whether the destination is not above the source, so that a copy must begin at the front.
    pub(super) fn is_forward(
        &mut self,
        (dst, dst_ty): (u32, ValType),
        (src, src_ty): (u32, ValType),
    ) {
        let wide = if dst_ty == src_ty {
            dst_ty
        } else {
            ValType::I64
        };
        self.sink().local_get(dst);
        self.widen(dst_ty, wide);
        self.sink().local_get(src);
        self.widen(src_ty, wide);
        match wide {
            ValType::I64 => self.sink().i64_le_u(),
            _ => self.sink().i32_le_u(),
        };
    }

    /// Pushes whether the end of the whole, minus the margin, does not fit into the offset's type.
    pub(super) fn wraps(&mut self, local: u32, ty: ValType, scale: u32) {
        let margin = self.helper.margin();
        if ty == ValType::I64 {
            self.displaced(local, ty, scale, margin);
            self.sink().local_get(local).i64_lt_u();
        } else {
            self.sink().local_get(local).i64_extend_i32_u();
            self.steps(ValType::I64, scale, margin);
            self.sink().i64_add().i64_const(u32::MAX.into()).i64_gt_u();
        }
    }

    /// Pushes the offset plus the length minus `margin`.
    pub(super) fn displaced(&mut self, local: u32, ty: ValType, scale: u32, margin: i64) {
        self.sink().local_get(local);
        self.steps(ty, scale, margin);
        self.add(ty);
    }

    /// Pushes the length minus `margin`, scaled, as a `ty`.
    fn steps(&mut self, ty: ValType, scale: u32, margin: i64) {
        let length = self.length;
        self.sink().local_get(length);
        self.widen(self.helper.length, ty);
        if margin != 0 {
            self.constant(ty, margin);
            match ty {
                ValType::I64 => self.sink().i64_sub(),
                _ => self.sink().i32_sub(),
            };
        }
        if scale != 1 {
            self.constant(ty, scale.into());
            match ty {
                ValType::I64 => self.sink().i64_mul(),
                _ => self.sink().i32_mul(),
            };
        }
    }

    /// Pushes whether more than a chunk is left.
    pub(super) fn more_than_a_chunk(&mut self) {
        let length = self.length;
        self.sink().local_get(length);
        self.constant(self.helper.length, self.helper.chunk.into());
        match self.helper.length {
            ValType::I64 => self.sink().i64_gt_u(),
            _ => self.sink().i32_gt_u(),
        };
    }

    /// Subtracts a chunk from the length.
    pub(super) fn shorten(&mut self) {
        let (length, ty) = (self.length, self.helper.length);
        self.sink().local_get(length);
        self.constant(ty, -i64::from(self.helper.chunk));
        self.add(ty);
        self.sink().local_set(length);
    }

    /// Converts a number to a wider type. A length is never wider than an offset.
    fn widen(&mut self, from: ValType, to: ValType) {
        if from != to {
            self.sink().i64_extend_i32_u();
        }
    }

    pub(super) fn add(&mut self, ty: ValType) {
        match ty {
            ValType::I64 => self.sink().i64_add(),
            _ => self.sink().i32_add(),
        };
    }

    pub(super) fn constant(&mut self, ty: ValType, value: i64) {
        match ty {
            ValType::I64 => self.sink().i64_const(value),
            _ => self.sink().i32_const(value as i32),
        };
    }
}

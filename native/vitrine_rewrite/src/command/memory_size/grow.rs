//! The function that is called in the place of `memory.grow`.

use wasm_encoder::{BlockType, Function};

use super::Memory;

impl Memory {
    /// The function that [`super`] shows.
    pub(super) fn grow(&self) -> Function {
        let mut function = Function::new([]);
        let mut sink = function.instructions();
        let (more, size) = (0, self.global);
        if self.is_64 {
            sink.local_get(more)
                .memory_size(self.index)
                .global_get(size)
                .i64_sub()
                .i64_gt_u();
            sink.if_(BlockType::Empty).local_get(more);
            sink.memory_size(self.index)
                .global_get(size)
                .i64_sub()
                .i64_sub();
            sink.memory_grow(self.index).i64_const(-1).i64_eq();
            sink.if_(BlockType::Empty)
                .i64_const(-1)
                .return_()
                .end()
                .end();
            sink.global_get(size)
                .global_get(size)
                .local_get(more)
                .i64_add();
        } else {
            sink.local_get(more)
                .memory_size(self.index)
                .global_get(size)
                .i32_sub()
                .i32_gt_u();
            sink.if_(BlockType::Empty).local_get(more);
            sink.memory_size(self.index)
                .global_get(size)
                .i32_sub()
                .i32_sub();
            sink.memory_grow(self.index).i32_const(-1).i32_eq();
            sink.if_(BlockType::Empty)
                .i32_const(-1)
                .return_()
                .end()
                .end();
            sink.global_get(size)
                .global_get(size)
                .local_get(more)
                .i32_add();
        }
        sink.global_set(size).end();
        function
    }
}

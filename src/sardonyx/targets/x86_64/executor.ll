; What object/executor.ll needs of an x86-64 CPU.

declare void @llvm.x86.sse2.pause()
declare i64 @llvm.readcyclecounter()
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

; Tell the core that this thread only waits.
define internal void @pause() nounwind {
  call void @llvm.x86.sse2.pause()
  ret void
}

; A clock that runs at the same rate on all cores.
define internal i64 @ticks() nounwind {
  %now = call i64 @llvm.readcyclecounter()
  ret i64 %now
}

; Set FTZ and DAZ; returns the mode before.
define internal i64 @flush_denormals() nounwind {
  %word = alloca i32, align 4
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  %before = load volatile i32, ptr %word, align 4
  %after = or i32 %before, 32832
  store volatile i32 %after, ptr %word, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  %mode = zext i32 %before to i64
  ret i64 %mode
}

define internal void @restore_float_mode(i64 %mode) nounwind {
  %word = alloca i32, align 4
  %before = trunc i64 %mode to i32
  store volatile i32 %before, ptr %word, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  ret void
}

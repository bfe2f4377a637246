; The runtime functions. executor.py replaces each $$word: an index of layout.py, or what systems differ in.
; What only an architecture can do (pause, ticks, denormals) is in a file of its own.

define void @sdx_execute(ptr %records, i64 %n, ptr %ctx) nounwind {
entry:
  %last.slot = alloca ptr, align 8
  %since.slot = alloca i64, align 8
  store ptr null, ptr %last.slot, align 8
  %call.p = getelementptr i64, ptr %ctx, i64 $context_call
  %profile.p = getelementptr i64, ptr %ctx, i64 $context_profile
  %profile = load ptr, ptr %profile.p, align 8
  %profiled = icmp ne ptr %profile, null
  %alone.p = getelementptr i64, ptr %ctx, i64 $context_alone
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %next, label %done
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %continue ]
  store i64 %i, ptr %call.p, align 8
  %record = getelementptr [3 x i64], ptr %records, i64 %i
  %args.p = getelementptr i64, ptr %record, i64 1
  %flags.p = getelementptr i64, ptr %record, i64 2
  %fn = load ptr, ptr %record, align 8
  %args = load ptr, ptr %args.p, align 8
  %flags = load i64, ptr %flags.p, align 8
  %jump = and i64 %flags, $jump_flag
  %jumps = icmp ne i64 %jump, 0
  br i1 %jumps, label %judge, label %calls
judge:
  %solo = and i64 %flags, $workers_flag
  %workers = icmp ne i64 %solo, 0
  br i1 %workers, label %sort, label %weigh
sort:
  %alone.now = load i64, ptr %alone.p, align 8
  %one = icmp ne i64 %alone.now, 0
  %tid = load i64, ptr %ctx, align 8
  %worker = icmp ne i64 %tid, 0
  %idle = and i1 %one, %worker
  br i1 %idle, label %skip, label %after
weigh:
  %condition = load ptr, ptr %args, align 8
  %always = icmp eq ptr %condition, null
  br i1 %always, label %skip, label %test
test:
  %truth = load i8, ptr %condition, align 1
  %holds = icmp ne i8 %truth, 0
  br i1 %holds, label %after, label %skip
skip:
  %distance.p = getelementptr i64, ptr %args, i64 1
  %distance = load i64, ptr %distance.p, align 8
  br label %after
calls:
  br i1 %profiled, label %timed, label %plain
plain:
  call void %fn(ptr %args, ptr %ctx)
  br label %after
timed:
  %entry.p = getelementptr [2 x i64], ptr %profile, i64 %i
  %last = load ptr, ptr %last.slot, align 8
  %start = call i64 @ticks()
  %none = icmp eq ptr %last, null
  br i1 %none, label %measure, label %between
between:
  %wait.p = getelementptr i64, ptr %last, i64 1
  %waited = load i64, ptr %wait.p, align 8
  %since = load i64, ptr %since.slot, align 8
  %gap = sub i64 %start, %since
  %waited.now = add i64 %waited, %gap
  store i64 %waited.now, ptr %wait.p, align 8
  br label %measure
measure:
  call void %fn(ptr %args, ptr %ctx)
  %end = call i64 @ticks()
  %busy = load i64, ptr %entry.p, align 8
  %taken = sub i64 %end, %start
  %busy.now = add i64 %busy, %taken
  store i64 %busy.now, ptr %entry.p, align 8
  store ptr %entry.p, ptr %last.slot, align 8
  store i64 %end, ptr %since.slot, align 8
  br label %after
after:
  %skipped = phi i64 [ 0, %plain ], [ 0, %measure ], [ 0, %sort ], [ 0, %test ], [ %distance, %skip ]
  %flag = and i64 %flags, $barrier_flag
  %flagged = icmp ne i64 %flag, 0
  br i1 %flagged, label %meet, label %continue
meet:
  %verdict = call i64 @meet(ptr %ctx)
  %failed = icmp ne i64 %verdict, 0
  br i1 %failed, label %done, label %continue
continue:
  %step = add i64 %skipped, 1
  %i.next = add i64 %i, %step
  %more = icmp slt i64 %i.next, %n
  br i1 %more, label %next, label %done
done:
  %alone = load i64, ptr %alone.p, align 8
  %left = icmp ne i64 %alone, 0
  br i1 %left, label %rejoin, label %leave
rejoin:
  ; The run failed where this thread works alone; the others wait where it should come together with them.
  call void @sdx_together(ptr null, ptr %ctx)
  %tid.left = load i64, ptr %ctx, align 8
  %first = icmp eq i64 %tid.left, 0
  br i1 %first, label %release, label %leave
release:
  %released = call i64 @meet(ptr %ctx)
  br label %leave
leave:
  ret void
}

; From here to sdx_together the first thread works alone, if what is to be done is little (args: work, limit).
define void @sdx_alone(ptr %args, ptr %ctx) nounwind {
entry:
  %limit.p = getelementptr i64, ptr %args, i64 1
  %n.p = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %alone.p = getelementptr i64, ptr %ctx, i64 $context_alone
  %work = load i64, ptr %args, align 8
  %limit = load i64, ptr %limit.p, align 8
  %n = load i64, ptr %n.p, align 8
  %little = icmp slt i64 %work, %limit
  %several = icmp sgt i64 %n, 1
  %apart = and i1 %little, %several
  br i1 %apart, label %part, label %done
part:
  store i64 %n, ptr %alone.p, align 8
  %tid = load i64, ptr %ctx, align 8
  %first = icmp eq i64 %tid, 0
  %now = select i1 %first, i64 1, i64 %n
  store i64 %now, ptr %n.p, align 8
  br label %done
done:
  ret void
}

define void @sdx_together(ptr %args, ptr %ctx) nounwind {
entry:
  %n.p = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %alone.p = getelementptr i64, ptr %ctx, i64 $context_alone
  %alone = load i64, ptr %alone.p, align 8
  %apart = icmp ne i64 %alone, 0
  br i1 %apart, label %join, label %done
join:
  store i64 %alone, ptr %n.p, align 8
  store i64 0, ptr %alone.p, align 8
  br label %done
done:
  ret void
}

; Between two iterations of a loop; see abi.Iterate for the arguments.
define void @sdx_iterate(ptr %args, ptr %ctx) nounwind {
entry:
  %tid = load i64, ptr %ctx, align 8
  %mine = icmp eq i64 %tid, 0
  br i1 %mine, label %begin, label %done
begin:
  %flags.p = getelementptr i64, ptr %args, i64 $iterate_flags
  %condition.p = getelementptr i64, ptr %args, i64 $iterate_condition
  %trips.p = getelementptr i64, ptr %args, i64 $iterate_trips
  %limit.p = getelementptr i64, ptr %args, i64 $iterate_limit
  %first.p = getelementptr i64, ptr %args, i64 $iterate_first
  %after.p = getelementptr i64, ptr %args, i64 $iterate_after
  %before.p = getelementptr i64, ptr %args, i64 $iterate_before
  %copies = getelementptr i64, ptr %args, i64 $iterate_copies
  %counter = load ptr, ptr %args, align 8
  %flags = load ptr, ptr %flags.p, align 8
  %condition = load ptr, ptr %condition.p, align 8
  %trips = load ptr, ptr %trips.p, align 8
  %limit = load i64, ptr %limit.p, align 8
  %is.first = load i64, ptr %first.p, align 8
  %after = load i64, ptr %after.p, align 8
  %before = load i64, ptr %before.p, align 8
  %first = icmp ne i64 %is.first, 0
  %old = load i64, ptr %counter, align 8
  %now = select i1 %first, i64 0, i64 %old
  call void @copy_all(ptr %copies, i64 %after, i64 %now)
  %plus = add i64 %now, 1
  %next = select i1 %first, i64 0, i64 %plus
  store i64 %next, ptr %counter, align 8
  %free = icmp eq ptr %condition, null
  br i1 %free, label %judged, label %ask
ask:
  %asked = load i8, ptr %condition, align 1
  br label %judged
judged:
  %truth = phi i8 [ 1, %begin ], [ %asked, %ask ]
  %holds = icmp ne i8 %truth, 0
  %below = icmp slt i64 %next, %limit
  %endless = icmp eq ptr %trips, null
  br i1 %endless, label %decide, label %count
count:
  %most = load i64, ptr %trips, align 8
  %few = icmp slt i64 %next, %most
  br label %decide
decide:
  %within = phi i1 [ true, %judged ], [ %few, %count ]
  %both = and i1 %holds, %below
  %more = and i1 %both, %within
  %more.byte = zext i1 %more to i8
  %done.byte = xor i8 %more.byte, 1
  %done.p = getelementptr i8, ptr %flags, i64 1
  %going.p = getelementptr i8, ptr %flags, i64 2
  store i8 %more.byte, ptr %flags, align 1
  store i8 %done.byte, ptr %done.p, align 1
  store i8 %truth, ptr %going.p, align 1
  br i1 %more, label %fetch, label %done
fetch:
  %skip = mul i64 %after, $copy_words
  %rest = getelementptr i64, ptr %copies, i64 %skip
  call void @copy_all(ptr %rest, i64 %before, i64 %next)
  br label %done
done:
  ret void
}

; Copy blocks, each (to, from, bytes, step of to, step of from); the steps are taken `number` times first.
define internal void @copy_all(ptr %copies, i64 %count, i64 %number) nounwind {
entry:
  br label %head
head:
  %k = phi i64 [ 0, %entry ], [ %k.next, %copied ]
  %some = icmp slt i64 %k, %count
  br i1 %some, label %copy, label %done
copy:
  %copy.p = getelementptr [$copy_words x i64], ptr %copies, i64 %k
  %from.p = getelementptr i64, ptr %copy.p, i64 1
  %bytes.p = getelementptr i64, ptr %copy.p, i64 2
  %to.step.p = getelementptr i64, ptr %copy.p, i64 3
  %from.step.p = getelementptr i64, ptr %copy.p, i64 4
  %to.0 = load ptr, ptr %copy.p, align 8
  %from.0 = load ptr, ptr %from.p, align 8
  %bytes = load i64, ptr %bytes.p, align 8
  %to.step = load i64, ptr %to.step.p, align 8
  %from.step = load i64, ptr %from.step.p, align 8
  %to.by = mul i64 %to.step, %number
  %from.by = mul i64 %from.step, %number
  %to = getelementptr i8, ptr %to.0, i64 %to.by
  %from = getelementptr i8, ptr %from.0, i64 %from.by
  br label %wide
wide:
  %i = phi i64 [ 0, %copy ], [ %i.next, %block ]
  %i.next = add i64 %i, 64
  %fits = icmp sle i64 %i.next, %bytes
  br i1 %fits, label %block, label %words
block:
  %block.from = getelementptr i8, ptr %from, i64 %i
  %block.to = getelementptr i8, ptr %to, i64 %i
  %block.value = load <16 x i32>, ptr %block.from, align 1
  store <16 x i32> %block.value, ptr %block.to, align 1
  br label %wide
words:
  %w = phi i64 [ %i, %wide ], [ %w.next, %word ]
  %w.next = add i64 %w, 8
  %word.fits = icmp sle i64 %w.next, %bytes
  br i1 %word.fits, label %word, label %single
word:
  %word.from = getelementptr i8, ptr %from, i64 %w
  %word.to = getelementptr i8, ptr %to, i64 %w
  %word.value = load i64, ptr %word.from, align 1
  store i64 %word.value, ptr %word.to, align 1
  br label %words
single:
  %j = phi i64 [ %w, %words ], [ %j.next, %byte ]
  %left = icmp slt i64 %j, %bytes
  br i1 %left, label %byte, label %copied
byte:
  %byte.from = getelementptr i8, ptr %from, i64 %j
  %byte.to = getelementptr i8, ptr %to, i64 %j
  %byte.value = load i8, ptr %byte.from, align 1
  store i8 %byte.value, ptr %byte.to, align 1
  %j.next = add i64 %j, 1
  br label %single
copied:
  %k.next = add i64 %k, 1
  br label %head
done:
  ret void
}

; Cut the work of a call into shares, which a block of words then tells of: one for each thread, or, of long work
; that may be cut so fine, a long one for each thread and more of a unit each, which are claimed. Returns the units.
define i64 @sdx_shares(i64 %threads, i64 %work, i64 %most, ptr %share) nounwind {
entry:
  %several = icmp sgt i64 %threads, 1
  %least = mul i64 %threads, $long_work
  %long = icmp sge i64 %work, %least
  %units = mul i64 %threads, $share_units
  %enough = icmp sge i64 %most, %units
  %pays = and i1 %several, %long
  %claimed = and i1 %pays, %enough
  %joined = mul i64 %threads, $share_joined
  %shares = sub i64 %units, %joined
  %count = select i1 %claimed, i64 %shares, i64 %threads
  %cut = select i1 %claimed, i64 %units, i64 %threads
  %more = select i1 %claimed, i64 $share_joined, i64 0
  %threads.p = getelementptr i64, ptr %share, i64 $share_threads
  %count.p = getelementptr i64, ptr %share, i64 $share_count
  %more.p = getelementptr i64, ptr %share, i64 $share_more
  store i64 %threads, ptr %threads.p, align 8
  store i64 %count, ptr %count.p, align 8
  store i64 %more, ptr %more.p, align 8
  ret i64 %cut
}

; Write this thread's next share to its block; 0 if there is none. `begins` is 1 for the first one of a call.
define i64 @sdx_share(ptr %ctx, ptr %share, i64 %begins) nounwind {
entry:
  %threads.p = getelementptr i64, ptr %share, i64 $share_threads
  %count.p = getelementptr i64, ptr %share, i64 $share_count
  %more.p = getelementptr i64, ptr %share, i64 $share_more
  %threads = load i64, ptr %threads.p, align 8
  %count = load i64, ptr %count.p, align 8
  %more = load i64, ptr %more.p, align 8
  %claims = icmp ne i64 %more, 0
  br i1 %claims, label %claim, label %own
claim:
  %claimed = call i64 @sdx_claim(ptr %ctx, i64 %begins)
  br label %take
own:
  %tid.p = getelementptr i64, ptr %ctx, i64 $context_tid
  %tid = load i64, ptr %tid.p, align 8
  %is.first = icmp ne i64 %begins, 0
  %one = select i1 %is.first, i64 %tid, i64 %count
  br label %take
take:
  %number = phi i64 [ %claimed, %claim ], [ %one, %own ]
  %after = add i64 %number, 1
  %long.before = call i64 @llvm.smin.i64(i64 %number, i64 %threads)
  %long.with = call i64 @llvm.smin.i64(i64 %after, i64 %threads)
  %extra.before = mul i64 %long.before, %more
  %extra.with = mul i64 %long.with, %more
  %begin = add i64 %number, %extra.before
  %end = add i64 %after, %extra.with
  %begin.p = getelementptr i64, ptr %share, i64 $share_begin
  %end.p = getelementptr i64, ptr %share, i64 $share_end
  store i64 %begin, ptr %begin.p, align 8
  store i64 %end, ptr %end.p, align 8
  %is.there = icmp slt i64 %number, %count
  %result = zext i1 %is.there to i64
  ret i64 %result
}

declare i64 @llvm.smin.i64(i64, i64)

; The number of the next share of the work of a call, each number to one thread; beyond all shares if the others
; have begun a later call already. `begins` is 1 the first time that a thread asks in a call, then 0.
define i64 @sdx_claim(ptr %ctx, i64 %begins) nounwind {
entry:
  %barrier.p = getelementptr i64, ptr %ctx, i64 $context_barrier
  %claims.p = getelementptr i64, ptr %ctx, i64 $context_claims
  %barrier = load ptr, ptr %barrier.p, align 8
  %before = load i64, ptr %claims.p, align 8
  %turn = add i64 %before, %begins
  store i64 %turn, ptr %claims.p, align 8
  %claimed.p = getelementptr i64, ptr %barrier, i64 $barrier_claimed
  %first = load atomic i64, ptr %claimed.p monotonic, align 8
  %fresh = shl i64 %turn, 32
  br label %look
look:
  %seen = phi i64 [ %first, %entry ], [ %other, %take ]
  %of = lshr i64 %seen, 32
  %late = icmp ugt i64 %of, %turn
  br i1 %late, label %none, label %take
take:
  %same = icmp eq i64 %of, %turn
  %from = select i1 %same, i64 %seen, i64 %fresh
  %next = add i64 %from, 1
  %swap = cmpxchg ptr %claimed.p, i64 %seen, i64 %next monotonic monotonic, align 8
  %other = extractvalue { i64, i1 } %swap, 0
  %mine = extractvalue { i64, i1 } %swap, 1
  br i1 %mine, label %done, label %look
done:
  %number = and i64 %from, 4294967295
  ret i64 %number
none:
  ret i64 4294967295
}

define void @sdx_barrier(ptr %ctx) nounwind {
  %verdict = call i64 @meet(ptr %ctx)
  ret void
}

define internal i64 @meet(ptr %ctx) nounwind {
entry:
  %n.p = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %status.p = getelementptr i64, ptr %ctx, i64 $context_status
  %n = load i64, ptr %n.p, align 8
  %status = load ptr, ptr %status.p, align 8
  %alone = icmp sle i64 %n, 1
  br i1 %alone, label %solo, label %arrive
solo:
  %code.solo = load i64, ptr %status, align 8
  ret i64 %code.solo
arrive:
  %barrier.p = getelementptr i64, ptr %ctx, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %epoch.p = getelementptr i64, ptr %barrier, i64 $barrier_epoch
  %verdict.p = getelementptr i64, ptr %barrier, i64 $barrier_verdict
  %sleepers.p = getelementptr i64, ptr %barrier, i64 $barrier_sleepers
  %epoch = load atomic i64, ptr %epoch.p monotonic, align 8
  %before = atomicrmw add ptr %barrier, i64 1 acq_rel, align 8
  %arrived = add i64 %before, 1
  %last = icmp eq i64 %arrived, %n
  br i1 %last, label %open, label %wait
open:
  %code = load atomic i64, ptr %status monotonic, align 8
  store i64 %code, ptr %verdict.p, align 8
  store atomic i64 0, ptr %barrier monotonic, align 8
  %epoch.next = add i64 %epoch, 1
  %asleep = call i1 @advance(ptr %epoch.p, i64 %epoch.next, ptr %sleepers.p)
  br i1 %asleep, label %rouse, label %opened
rouse:
  call void @place_sleepers(ptr %ctx)
  call void @wake(ptr %epoch.p, ptr %barrier)
  br label %opened
opened:
  ret i64 %code
wait:
  call void @wait_beyond(ptr %epoch.p, i64 %epoch, ptr %sleepers.p, ptr %ctx)
  %seen = load i64, ptr %verdict.p, align 8
  ret i64 %seen
}

; Spin until the word exceeds a value; after the barrier's SPINS sleep. The caller's thread first gives its core
; away for a while, as do all where threads cannot sleep here: woken, it would land on the core of its waker.
; `sleepers` counts the threads asleep on the word.
define internal void @wait_beyond(ptr %word, i64 %value, ptr %sleepers, ptr %ctx) nounwind {
entry:
  %barrier.p = getelementptr i64, ptr %ctx, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %spins.p = getelementptr i64, ptr %barrier, i64 $barrier_spins
  %spins = load i64, ptr %spins.p, align 8
  br label %look
look:
  %spun = phi i64 [ 0, %entry ], [ %spun.next, %again ]
  %now = load atomic i64, ptr %word acquire, align 8
  %beyond = icmp sgt i64 %now, %value
  br i1 %beyond, label %done, label %again
again:
  call void @pause()
  %spun.next = add i64 %spun, 1
  %long = icmp sgt i64 %spun.next, %spins
  br i1 %long, label %slow, label %look
slow:
  %tid = load i64, ptr %ctx, align 8
  %worker = icmp ne i64 %tid, 0
  %syscall.p = getelementptr i64, ptr %barrier, i64 $barrier_syscall
  %syscall = load ptr, ptr %syscall.p, align 8
  %can = icmp ne ptr %syscall, null
  %at.once = and i1 %worker, %can
  %yield.p = getelementptr i64, ptr %barrier, i64 $barrier_yield
  %yield = load ptr, ptr %yield.p, align 8
  br i1 %at.once, label %announce, label %give
give:
  %given = phi i64 [ 0, %slow ], [ %given.next, %patient ]
  %ignored = call $host i32 %yield()
  %given.next = add i64 %given, 1
  %then = load atomic i64, ptr %word acquire, align 8
  %passed = icmp sgt i64 %then, %value
  br i1 %passed, label %done, label %patient
patient:
  %enough = icmp sgt i64 %given.next, %spins
  %sleep.now = and i1 %enough, %can
  br i1 %sleep.now, label %announce, label %give
announce:
  %futex.p = getelementptr i64, ptr %barrier, i64 $barrier_futex
  %futex = load i64, ptr %futex.p, align 8
  %asleep.p = getelementptr i64, ptr %ctx, i64 $context_asleep
  store atomic i64 1, ptr %asleep.p monotonic, align 8
  %more = atomicrmw add ptr %sleepers, i64 1 seq_cst, align 8
  br label %check
check:
  %last = load atomic i64, ptr %word seq_cst, align 8
  %open = icmp sgt i64 %last, %value
  br i1 %open, label %awake, label %sleep
sleep:
  %low = and i64 %last, 4294967295
  %slept = call i64 (i64, ...) %syscall(i64 %futex, ptr %word, i64 $futex_wait, i64 %low, ptr null)
  br label %check
awake:
  store atomic i64 0, ptr %asleep.p monotonic, align 8
  %fewer = atomicrmw sub ptr %sleepers, i64 1 seq_cst, align 8
  call void @locate(ptr %ctx)
  br label %done
done:
  ret void
}

; Set a word that others wait for; whether any of them sleeps. A full fence stands between the word and the look
; at `sleepers`, as on their side between `sleepers` and their last look at the word.
define internal i1 @advance(ptr %word, i64 %value, ptr %sleepers) nounwind {
  %old = atomicrmw xchg ptr %word, i64 %value seq_cst, align 8
  %asleep = load atomic i64, ptr %sleepers seq_cst, align 8
  %some = icmp ne i64 %asleep, 0
  ret i1 %some
}

; Wake all that sleep on a word, if threads sleep in native code at all.
define internal void @wake(ptr %word, ptr %barrier) nounwind {
entry:
  %syscall.p = getelementptr i64, ptr %barrier, i64 $barrier_syscall
  %syscall = load ptr, ptr %syscall.p, align 8
  %can = icmp ne ptr %syscall, null
  br i1 %can, label %call, label %done
call:
  %futex.p = getelementptr i64, ptr %barrier, i64 $barrier_futex
  %futex = load i64, ptr %futex.p, align 8
  %woken = call i64 (i64, ...) %syscall(i64 %futex, ptr %word, i64 $futex_wake, i64 2147483647)
  br label %done
done:
  ret void
}

; Note the CPU that a thread runs on.
define internal void @locate(ptr %ctx) nounwind {
entry:
  %barrier.p = getelementptr i64, ptr %ctx, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %get.p = getelementptr i64, ptr %barrier, i64 $barrier_get_cpu
  %get = load ptr, ptr %get.p, align 8
  %can = icmp ne ptr %get, null
  br i1 %can, label %ask, label %done
ask:
  %cpu = call i32 %get()
  %wide = sext i32 %cpu to i64
  %cpu.p = getelementptr i64, ptr %ctx, i64 $context_cpu
  store atomic i64 %wide, ptr %cpu.p monotonic, align 8
  br label %done
done:
  ret void
}

; Before waking a worker: keep it off the CPUs of its waker and of the threads of lower numbers. Left alone, Linux
; wakes a thread on its waker's CPU, and both then take turns there for up to a tenth of a second.
define internal void @place(ptr %worker, ptr %waker) nounwind {
entry:
  %mask = alloca [$cpu_words x i64], align 8
  %barrier.p = getelementptr i64, ptr %waker, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %roomy.p = getelementptr i64, ptr %barrier, i64 $barrier_roomy
  %roomy = load i64, ptr %roomy.p, align 8
  %bytes.p = getelementptr i64, ptr %barrier, i64 $barrier_allowed_bytes
  %bytes = load i64, ptr %bytes.p, align 8
  %thread.p = getelementptr i64, ptr %worker, i64 $context_thread
  %thread = load i64, ptr %thread.p, align 8
  %known = icmp sgt i64 %bytes, 0
  %started = icmp ne i64 %thread, 0
  %wanted = icmp ne i64 %roomy, 0
  %ready = and i1 %known, %started
  %try = and i1 %ready, %wanted
  br i1 %try, label %copy, label %done
copy:
  %allowed.p = getelementptr i64, ptr %barrier, i64 $barrier_allowed
  %allowed = load [$cpu_words x i64], ptr %allowed.p, align 8
  store [$cpu_words x i64] %allowed, ptr %mask, align 8
  call void @exclude(ptr %mask, ptr %waker)
  %tid = load i64, ptr %worker, align 8
  %back = sub i64 0, %tid
  %contexts = getelementptr [$context_words x i64], ptr %worker, i64 %back
  br label %head
head:
  %t = phi i64 [ 0, %copy ], [ %t.next, %lower ]
  %more = icmp slt i64 %t, %tid
  br i1 %more, label %lower, label %set
lower:
  %other = getelementptr [$context_words x i64], ptr %contexts, i64 %t
  call void @exclude(ptr %mask, ptr %other)
  %t.next = add i64 %t, 1
  br label %head
set:
  %syscall.p = getelementptr i64, ptr %barrier, i64 $barrier_syscall
  %syscall = load ptr, ptr %syscall.p, align 8
  %number.p = getelementptr i64, ptr %barrier, i64 $barrier_set_affinity
  %number = load i64, ptr %number.p, align 8
  %result = call i64 (i64, ...) %syscall(i64 %number, i64 %thread, i64 %bytes, ptr %mask)
  br label %done
done:
  ret void
}

define internal void @exclude(ptr %mask, ptr %ctx) nounwind {
entry:
  %cpu.p = getelementptr i64, ptr %ctx, i64 $context_cpu
  %cpu = load atomic i64, ptr %cpu.p monotonic, align 8
  %valid = icmp ult i64 %cpu, $cpu_bits
  br i1 %valid, label %clear, label %done
clear:
  %index = lshr i64 %cpu, 6
  %word.p = getelementptr i64, ptr %mask, i64 %index
  %word = load i64, ptr %word.p, align 8
  %shift = and i64 %cpu, 63
  %bit = shl i64 1, %shift
  %keep = xor i64 %bit, -1
  %rest = and i64 %word, %keep
  store i64 %rest, ptr %word.p, align 8
  br label %done
done:
  ret void
}

; Place the workers of this run that sleep at the barrier.
define internal void @place_sleepers(ptr %ctx) nounwind {
entry:
  call void @locate(ptr %ctx)
  %n.p = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %n = load i64, ptr %n.p, align 8
  %tid = load i64, ptr %ctx, align 8
  %back = sub i64 0, %tid
  %contexts = getelementptr [$context_words x i64], ptr %ctx, i64 %back
  br label %head
head:
  %t = phi i64 [ 1, %entry ], [ %t.next, %next ]
  %more = icmp slt i64 %t, %n
  br i1 %more, label %look, label %done
look:
  %other = getelementptr [$context_words x i64], ptr %contexts, i64 %t
  %asleep.p = getelementptr i64, ptr %other, i64 $context_asleep
  %asleep = load atomic i64, ptr %asleep.p monotonic, align 8
  %sleeps = icmp ne i64 %asleep, 0
  br i1 %sleeps, label %move, label %next
move:
  call void @place(ptr %other, ptr %ctx)
  br label %next
next:
  %t.next = add i64 %t, 1
  br label %head
done:
  ret void
}

define void @sdx_fail(ptr %ctx, i64 %code, i64 %detail0, i64 %detail1) nounwind {
entry:
  %status.p = getelementptr i64, ptr %ctx, i64 $context_status
  %status = load ptr, ptr %status.p, align 8
  %swap = cmpxchg ptr %status, i64 0, i64 %code acq_rel monotonic, align 8
  %first = extractvalue { i64, i1 } %swap, 1
  br i1 %first, label %write, label %done
write:
  %call.p = getelementptr i64, ptr %ctx, i64 $context_call
  %call = load i64, ptr %call.p, align 8
  %to.call = getelementptr i64, ptr %status, i64 $status_call
  %to.detail0 = getelementptr i64, ptr %status, i64 $status_detail0
  %to.detail1 = getelementptr i64, ptr %status, i64 $status_detail1
  store i64 %call, ptr %to.call, align 8
  store i64 %detail0, ptr %to.detail0, align 8
  store i64 %detail1, ptr %to.detail1, align 8
  br label %done
done:
  ret void
}

define void @sdx_require(ptr %args, ptr %ctx) nounwind {
entry:
  %refusal = load i64, ptr %args, align 8
  %fine = icmp eq i64 %refusal, 0
  br i1 %fine, label %done, label %refuse
refuse:
  call void @sdx_fail(ptr %ctx, i64 $failure_sizes, i64 %refusal, i64 0)
  br label %done
done:
  ret void
}

define $host i64 @sdx_solo(ptr %launch, ptr %ctx) nounwind {
  %status.p = getelementptr i64, ptr %ctx, i64 $context_status
  %status = load ptr, ptr %status.p, align 8
  %usual.p = getelementptr i64, ptr %launch, i64 $launch_nthreads
  %usual = load i64, ptr %usual.p, align 8
  call void @begin(ptr %launch, ptr %ctx, i64 1, i64 %usual)
  store i64 0, ptr %status, align 8
  call void @execute(ptr %launch, ptr %ctx)
  %code = load i64, ptr %status, align 8
  ret i64 %code
}

define $host i64 @sdx_launch(ptr %launch, ptr %team) nounwind {
  call void @publish(ptr %launch, ptr %team)
  %code = call i64 @join(ptr %launch, ptr %team)
  ret i64 %code
}

define $host void @sdx_publish(ptr %launch, ptr %team) nounwind {
  call void @publish(ptr %launch, ptr %team)
  ret void
}

define $host i64 @sdx_join(ptr %launch, ptr %team) nounwind {
  %code = call i64 @join(ptr %launch, ptr %team)
  ret i64 %code
}

define $host i64 @sdx_ticks() nounwind {
  %now = call i64 @ticks()
  ret i64 %now
}

; Execute a launch on this thread.
define internal void @execute(ptr %launch, ptr %ctx) nounwind {
  %execute.p = getelementptr i64, ptr %launch, i64 $launch_execute
  %records.p = getelementptr i64, ptr %launch, i64 $launch_records
  %count.p = getelementptr i64, ptr %launch, i64 $launch_count
  %execute = load ptr, ptr %execute.p, align 8
  %records = load ptr, ptr %records.p, align 8
  %count = load i64, ptr %count.p, align 8
  %flush.p = getelementptr i64, ptr %launch, i64 $launch_flush_denormals
  %flush = load i64, ptr %flush.p, align 8
  call void @in_float_mode(ptr %execute, ptr %records, i64 %count, ptr %ctx, i64 %flush)
  ret void
}

; Call an `sdx_execute`, with denormals as zeros if asked; the thread's own mode is restored.
define internal void @in_float_mode(ptr %execute, ptr %records, i64 %count, ptr %ctx, i64 %flush) nounwind {
entry:
  %ieee = icmp eq i64 %flush, 0
  br i1 %ieee, label %plain, label %flushed
plain:
  call void %execute(ptr %records, i64 %count, ptr %ctx)
  ret void
flushed:
  %mode = call i64 @flush_denormals()
  call void %execute(ptr %records, i64 %count, ptr %ctx)
  call void @restore_float_mode(i64 %mode)
  ret void
}

; Set the words of the caller's own context that differ from run to run.
define internal void @begin(ptr %launch, ptr %ctx, i64 %n, i64 %usual) nounwind {
  %from.profile = getelementptr i64, ptr %launch, i64 $launch_profile
  %profile = load i64, ptr %from.profile, align 8
  %to.n = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %to.profile = getelementptr i64, ptr %ctx, i64 $context_profile
  %to.claims = getelementptr i64, ptr %ctx, i64 $context_claims
  %to.usual = getelementptr i64, ptr %ctx, i64 $context_usual
  store i64 %n, ptr %to.n, align 8
  store i64 %usual, ptr %to.usual, align 8
  store i64 %profile, ptr %to.profile, align 8
  store i64 0, ptr %to.claims, align 8
  ret void
}

; Threads of a run: those asked for, at most those of the team.
define internal i64 @width(ptr %launch, ptr %team) nounwind {
  %asked.p = getelementptr i64, ptr %launch, i64 $launch_nthreads
  %size.p = getelementptr i64, ptr %team, i64 $teamblock_size
  %asked = load i64, ptr %asked.p, align 8
  %size = load i64, ptr %size.p, align 8
  %less = icmp slt i64 %asked, %size
  %n = select i1 %less, i64 %asked, i64 %size
  ret i64 %n
}

define internal void @publish(ptr %launch, ptr %team) nounwind {
entry:
  %n = call i64 @width(ptr %launch, ptr %team)
  %mailboxes.p = getelementptr i64, ptr %team, i64 $teamblock_mailboxes
  %mailboxes = load ptr, ptr %mailboxes.p, align 8
  %execute.p = getelementptr i64, ptr %launch, i64 $launch_execute
  %records.p = getelementptr i64, ptr %launch, i64 $launch_records
  %count.p = getelementptr i64, ptr %launch, i64 $launch_count
  %profile.p = getelementptr i64, ptr %launch, i64 $launch_profile
  %execute = load i64, ptr %execute.p, align 8
  %records = load i64, ptr %records.p, align 8
  %count = load i64, ptr %count.p, align 8
  %profile = load i64, ptr %profile.p, align 8
  %flush.p = getelementptr i64, ptr %launch, i64 $launch_flush_denormals
  %flush = load i64, ptr %flush.p, align 8
  %asked.p = getelementptr i64, ptr %launch, i64 $launch_spin_us
  %asked = load i64, ptr %asked.p, align 8
  %cpus.p = getelementptr i64, ptr %team, i64 $teamblock_cpus
  %cpus = load i64, ptr %cpus.p, align 8
  %crowded = icmp sgt i64 %n, %cpus
  %spin = select i1 %crowded, i64 0, i64 %asked
  %spins = select i1 %crowded, i64 $crowded_turns, i64 $barrier_turns
  %contexts.p = getelementptr i64, ptr %team, i64 $teamblock_contexts
  %contexts = load ptr, ptr %contexts.p, align 8
  %barrier.p = getelementptr i64, ptr %contexts, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %spins.p = getelementptr i64, ptr %barrier, i64 $barrier_spins
  %spins.old = load i64, ptr %spins.p, align 8
  %claimed.p = getelementptr i64, ptr %barrier, i64 $barrier_claimed
  store atomic i64 0, ptr %claimed.p monotonic, align 8
  store i64 0, ptr %team, align 8
  call void @locate(ptr %contexts)
  %same = icmp eq i64 %spins, %spins.old
  br i1 %same, label %head, label %tune
tune:
  store i64 %spins, ptr %spins.p, align 8
  %roomy.p = getelementptr i64, ptr %barrier, i64 $barrier_roomy
  %fits = xor i1 %crowded, true
  %roomy = zext i1 %fits to i64
  store i64 %roomy, ptr %roomy.p, align 8
  br label %head
head:
  %t = phi i64 [ 1, %entry ], [ 1, %tune ], [ %t.next, %post ]
  %more = icmp slt i64 %t, %n
  br i1 %more, label %post, label %done
post:
  %mailbox = getelementptr [$mailbox_words x i64], ptr %mailboxes, i64 %t
  %to.records = getelementptr i64, ptr %mailbox, i64 $mailbox_records
  %to.count = getelementptr i64, ptr %mailbox, i64 $mailbox_count
  %to.n = getelementptr i64, ptr %mailbox, i64 $mailbox_nthreads
  %to.profile = getelementptr i64, ptr %mailbox, i64 $mailbox_profile
  %to.spin = getelementptr i64, ptr %mailbox, i64 $mailbox_spin_us
  %to.flush = getelementptr i64, ptr %mailbox, i64 $mailbox_flush_denormals
  store i64 %records, ptr %to.records, align 8
  store i64 %count, ptr %to.count, align 8
  store i64 %n, ptr %to.n, align 8
  store i64 %profile, ptr %to.profile, align 8
  store i64 %spin, ptr %to.spin, align 8
  store i64 %flush, ptr %to.flush, align 8
  %worker = getelementptr [$context_words x i64], ptr %contexts, i64 %t
  call void @post(ptr %mailbox, ptr %worker, i64 %execute, ptr %team)
  %t.next = add i64 %t, 1
  br label %head
done:
  ret void
}

; Hand the mailbox to its worker. Where the caller may run, the worker may.
define internal void @post(ptr %mailbox, ptr %worker, i64 %execute, ptr %team) nounwind {
entry:
  %to.execute = getelementptr i64, ptr %mailbox, i64 $mailbox_execute
  %parked.p = getelementptr i64, ptr %mailbox, i64 $mailbox_parked
  store i64 %execute, ptr %to.execute, align 8
  %epoch = load atomic i64, ptr %mailbox monotonic, align 8
  %epoch.next = add i64 %epoch, 1
  %asleep = call i1 @advance(ptr %mailbox, i64 %epoch.next, ptr %parked.p)
  br i1 %asleep, label %rouse, label %done
rouse:
  %contexts.p = getelementptr i64, ptr %team, i64 $teamblock_contexts
  %caller = load ptr, ptr %contexts.p, align 8
  %barrier.p = getelementptr i64, ptr %caller, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %syscall.p = getelementptr i64, ptr %barrier, i64 $barrier_syscall
  %syscall = load ptr, ptr %syscall.p, align 8
  %can = icmp ne ptr %syscall, null
  br i1 %can, label %place, label %done
place:
  %get.p = getelementptr i64, ptr %barrier, i64 $barrier_get_affinity
  %get = load i64, ptr %get.p, align 8
  %bytes.p = getelementptr i64, ptr %barrier, i64 $barrier_allowed_bytes
  %allowed.p = getelementptr i64, ptr %barrier, i64 $barrier_allowed
  %bytes = call i64 (i64, ...) %syscall(i64 %get, i64 0, i64 $cpu_bytes, ptr %allowed.p)
  store i64 %bytes, ptr %bytes.p, align 8
  call void @place(ptr %worker, ptr %caller)
  call void @wake(ptr %mailbox, ptr %barrier)
  br label %done
done:
  ret void
}

define internal i64 @join(ptr %launch, ptr %team) nounwind {
entry:
  %n = call i64 @width(ptr %launch, ptr %team)
  %contexts.p = getelementptr i64, ptr %team, i64 $teamblock_contexts
  %mailboxes.p = getelementptr i64, ptr %team, i64 $teamblock_mailboxes
  %ctx = load ptr, ptr %contexts.p, align 8
  %mailboxes = load ptr, ptr %mailboxes.p, align 8
  call void @begin(ptr %launch, ptr %ctx, i64 %n, i64 %n)
  call void @execute(ptr %launch, ptr %ctx)
  br label %head
head:
  %t = phi i64 [ 1, %entry ], [ %t.next, %wait ]
  %more = icmp slt i64 %t, %n
  br i1 %more, label %wait, label %done
wait:
  %mailbox = getelementptr [$mailbox_words x i64], ptr %mailboxes, i64 %t
  %done.p = getelementptr i64, ptr %mailbox, i64 $mailbox_done
  %epoch = load i64, ptr %mailbox, align 8
  %before = sub i64 %epoch, 1
  %sleepers.p = getelementptr i64, ptr %mailbox, i64 $mailbox_sleepers
  call void @wait_beyond(ptr %done.p, i64 %before, ptr %sleepers.p, ptr %ctx)
  %t.next = add i64 %t, 1
  br label %head
done:
  %code = load i64, ptr %team, align 8
  ret i64 %code
}

define $host void @sdx_stop(ptr %team) nounwind {
entry:
  %size.p = getelementptr i64, ptr %team, i64 $teamblock_size
  %mailboxes.p = getelementptr i64, ptr %team, i64 $teamblock_mailboxes
  %size = load i64, ptr %size.p, align 8
  %mailboxes = load ptr, ptr %mailboxes.p, align 8
  %contexts.p = getelementptr i64, ptr %team, i64 $teamblock_contexts
  %contexts = load ptr, ptr %contexts.p, align 8
  br label %head
head:
  %t = phi i64 [ 1, %entry ], [ %t.next, %post ]
  %more = icmp slt i64 %t, %size
  br i1 %more, label %post, label %done
post:
  %mailbox = getelementptr [$mailbox_words x i64], ptr %mailboxes, i64 %t
  %worker = getelementptr [$context_words x i64], ptr %contexts, i64 %t
  call void @post(ptr %mailbox, ptr %worker, i64 0, ptr %team)
  %t.next = add i64 %t, 1
  br label %head
done:
  ret void
}

; The last epoch served is this worker's own `done` word, so that it can leave and come back between runs.
; A worker spins for as long as the last run said; work that came too late for that halves its patience.
define $host i64 @sdx_worker(ptr %mailbox, ptr %ctx, ptr %team) nounwind {
entry:
  %done.p = getelementptr i64, ptr %mailbox, i64 $mailbox_done
  %parked.p = getelementptr i64, ptr %mailbox, i64 $mailbox_parked
  %execute.p = getelementptr i64, ptr %mailbox, i64 $mailbox_execute
  %records.p = getelementptr i64, ptr %mailbox, i64 $mailbox_records
  %count.p = getelementptr i64, ptr %mailbox, i64 $mailbox_count
  %n.p = getelementptr i64, ptr %mailbox, i64 $mailbox_nthreads
  %profile.p = getelementptr i64, ptr %mailbox, i64 $mailbox_profile
  %spin.p = getelementptr i64, ptr %mailbox, i64 $mailbox_spin_us
  %rate.p = getelementptr i64, ptr %team, i64 $teamblock_ticks_per_us
  %sleepers.p = getelementptr i64, ptr %mailbox, i64 $mailbox_sleepers
  %barrier.p = getelementptr i64, ptr %ctx, i64 $context_barrier
  %barrier = load ptr, ptr %barrier.p, align 8
  %syscall.p = getelementptr i64, ptr %barrier, i64 $barrier_syscall
  %futex.p = getelementptr i64, ptr %barrier, i64 $barrier_futex
  %to.usual = getelementptr i64, ptr %ctx, i64 $context_usual
  %to.n = getelementptr i64, ptr %ctx, i64 $context_nthreads
  %to.profile = getelementptr i64, ptr %ctx, i64 $context_profile
  %to.claims = getelementptr i64, ptr %ctx, i64 $context_claims
  %tid = load i64, ptr %ctx, align 8
  %rate = load i64, ptr %rate.p, align 8
  %spin.0 = load i64, ptr %spin.p, align 8
  %patience.0 = mul i64 %spin.0, %rate
  %syscall = load ptr, ptr %syscall.p, align 8
  %futex = load i64, ptr %futex.p, align 8
  %can.sleep = icmp ne ptr %syscall, null
  store atomic i64 0, ptr %parked.p monotonic, align 8
  %seen.0 = load i64, ptr %done.p, align 8
  br label %idle
idle:
  %seen = phi i64 [ %seen.0, %entry ], [ %epoch, %reported ]
  %patience = phi i64 [ %patience.0, %entry ], [ %patience.next, %reported ]
  %since = call i64 @ticks()
  br label %spin
spin:
  %epoch.spin = load atomic i64, ptr %mailbox acquire, align 8
  %posted = icmp ne i64 %epoch.spin, %seen
  br i1 %posted, label %work, label %relax
relax:
  call void @pause()
  %now = call i64 @ticks()
  %waited = sub i64 %now, %since
  %patient = icmp slt i64 %waited, %patience
  br i1 %patient, label %spin, label %park
park:
  %old = atomicrmw xchg ptr %parked.p, i64 1 seq_cst, align 8
  %epoch.park = load atomic i64, ptr %mailbox seq_cst, align 8
  %late = icmp ne i64 %epoch.park, %seen
  br i1 %late, label %awake, label %sleep
sleep:
  br i1 %can.sleep, label %nap, label %leave
nap:
  %low = and i64 %seen, 4294967295
  %slept = call i64 (i64, ...) %syscall(i64 %futex, ptr %mailbox, i64 $futex_wait, i64 %low, ptr null)
  br label %park
leave:
  ret i64 1
awake:
  store atomic i64 0, ptr %parked.p monotonic, align 8
  call void @locate(ptr %ctx)
  br label %work
work:
  %epoch = phi i64 [ %epoch.spin, %spin ], [ %epoch.park, %awake ]
  %begun = call i64 @ticks()
  %gap = sub i64 %begun, %since
  %execute = load ptr, ptr %execute.p, align 8
  %stop = icmp eq ptr %execute, null
  br i1 %stop, label %end, label %run
run:
  %records = load ptr, ptr %records.p, align 8
  %count = load i64, ptr %count.p, align 8
  %n = load i64, ptr %n.p, align 8
  %profile = load i64, ptr %profile.p, align 8
  %spin.us = load i64, ptr %spin.p, align 8
  %flush.p = getelementptr i64, ptr %mailbox, i64 $mailbox_flush_denormals
  %flush = load i64, ptr %flush.p, align 8
  %profiled = icmp ne i64 %profile, 0
  %rows = mul i64 %tid, %count
  %row.bytes = mul i64 %rows, 16
  %offset = select i1 %profiled, i64 %row.bytes, i64 0
  %own = add i64 %profile, %offset
  store i64 %n, ptr %to.n, align 8
  store i64 %n, ptr %to.usual, align 8
  store i64 %own, ptr %to.profile, align 8
  store i64 0, ptr %to.claims, align 8
  call void @in_float_mode(ptr %execute, ptr %records, i64 %count, ptr %ctx, i64 %flush)
  br label %finish
finish:
  %awaited = call i1 @advance(ptr %done.p, i64 %epoch, ptr %sleepers.p)
  br i1 %awaited, label %report, label %reported
report:
  call void @wake(ptr %done.p, ptr %barrier)
  br label %reported
reported:
  %budget = mul i64 %spin.us, %rate
  %soon = icmp slt i64 %gap, %budget
  %half = ashr i64 %patience, 1
  %least = ashr i64 %budget, 4
  %enough = icmp sgt i64 %half, %least
  %reduced = select i1 %enough, i64 %half, i64 %least
  %patience.next = select i1 %soon, i64 %budget, i64 %reduced
  br label %idle
end:
  %ended = call i1 @advance(ptr %done.p, i64 %epoch, ptr %sleepers.p)
  ret i64 0
}

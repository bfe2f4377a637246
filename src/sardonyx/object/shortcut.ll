; A run without Python: a built-in function (METH_FASTCALL | METH_KEYWORDS) over the words of base.shortcut.Shortcut.
; It serves the usual arguments, plain arrays of sizes that were bound, and gives all else to a function of Python,
; also runs that fail: those are repeated there. It holds the feeds, which another thread may take out of the
; dictionary, and the row, which may be replaced. Whatever lets other code run stands before a row is chosen, or
; while the row is busy.

declare $host i64 @sdx_solo(ptr, ptr)

define $host ptr @sdx_shortcut(ptr %self, ptr %args, i64 %count, ptr %keywords) nounwind {
entry:
  %feeds = alloca [$most_objects x ptr], align 16
  %order = alloca [$most_names x i64], align 16
  %words.p = getelementptr i8, ptr %self, i64 $objectbytes_data
  %words = load ptr, ptr %words.p, align 8
  %api.p = getelementptr i64, ptr %words, i64 $shortcut_interpreter
  %api = load ptr, ptr %api.p, align 8
  %three = icmp eq i64 %count, 3
  %named = icmp eq ptr %keywords, null
  %usual = and i1 %three, %named
  br i1 %usual, label %choices, label %other
choices:
  %options.p = getelementptr ptr, ptr %args, i64 2
  %options = load ptr, ptr %options.p, align 8
  %none = load ptr, ptr %api, align 8
  %plain = icmp eq ptr %options, %none
  br i1 %plain, label %ask, label %other
ask:
  %names = load ptr, ptr %args, align 8
  %wanted = call i64 @asked(ptr %words, ptr %api, ptr %names, ptr %order)
  %some = icmp ne i64 %wanted, 0
  br i1 %some, label %take, label %other
take:
  %feed.p = getelementptr ptr, ptr %args, i64 1
  %feed = load ptr, ptr %feed.p, align 8
  %inputs.p = getelementptr i64, ptr %words, i64 $shortcut_inputs
  %inputs = load i64, ptr %inputs.p, align 8
  %fed = call i64 @fed(ptr %words, ptr %api, ptr %feed, ptr %feeds)
  %complete = icmp eq i64 %fed, %inputs
  br i1 %complete, label %check, label %leave
check:
  %plain.all = call i1 @are_plain(ptr %words, ptr %api, ptr %feeds)
  br i1 %plain.all, label %find, label %leave
find:
  %row = call ptr @known(ptr %words, ptr %feeds)
  %found = icmp ne ptr %row, null
  br i1 %found, label %run, label %leave
run:
  %list = call ptr @results(ptr %words, ptr %api, ptr %row, ptr %feeds, ptr %order, i64 %wanted)
  br label %leave
leave:
  %answer = phi ptr [ null, %take ], [ null, %check ], [ null, %find ], [ %list, %run ]
  call void @let_go(ptr %api, ptr %feeds, i64 %fed)
  %done = icmp ne ptr %answer, null
  br i1 %done, label %end, label %judge
judge:
  %raised.p = getelementptr ptr, ptr %api, i64 $interpreter_is_raised
  %raised.f = load ptr, ptr %raised.p, align 8
  %raised = call $host ptr %raised.f()
  %calm = icmp eq ptr %raised, null
  br i1 %calm, label %other, label %end
other:
  %otherwise.p = getelementptr i64, ptr %words, i64 $shortcut_otherwise
  %otherwise = load ptr, ptr %otherwise.p, align 8
  %call.p = getelementptr ptr, ptr %api, i64 $interpreter_call
  %call = load ptr, ptr %call.p, align 8
  %given = call $host ptr %call(ptr %otherwise, ptr %args, i64 %count, ptr %keywords)
  br label %end
end:
  %result = phi ptr [ %answer, %leave ], [ null, %judge ], [ %given, %other ]
  ret ptr %result
}

; The numbers of the outputs that are asked for, and how many those are: all for None; 0 if the names are unusual.
define internal i64 @asked(ptr %words, ptr %api, ptr %names, ptr %order) nounwind {
entry:
  %outputs.p = getelementptr i64, ptr %words, i64 $shortcut_outputs
  %outputs = load i64, ptr %outputs.p, align 8
  %known = getelementptr i64, ptr %words, i64 $shortcut_names
  %none = load ptr, ptr %api, align 8
  %every = icmp eq ptr %names, %none
  br i1 %every, label %number, label %look
number:
  %n = phi i64 [ 0, %entry ], [ %n.next, %number ]
  %n.p = getelementptr i64, ptr %order, i64 %n
  store i64 %n, ptr %n.p, align 8
  %n.next = add i64 %n, 1
  %n.more = icmp slt i64 %n.next, %outputs
  br i1 %n.more, label %number, label %all
all:
  ret i64 %outputs
look:
  %list.p = getelementptr ptr, ptr %api, i64 $interpreter_list
  %list = load ptr, ptr %list.p, align 8
  %type.p = getelementptr i8, ptr %names, i64 $objectbytes_type
  %type = load ptr, ptr %type.p, align 8
  %is.list = icmp eq ptr %type, %list
  br i1 %is.list, label %measure, label %unusual
measure:
  %size.p = getelementptr ptr, ptr %api, i64 $interpreter_name_count
  %size.f = load ptr, ptr %size.p, align 8
  %size = call $host i64 %size.f(ptr %names)
  %few = icmp sle i64 %size, %outputs
  %some = icmp sgt i64 %size, 0
  %fits = and i1 %few, %some
  br i1 %fits, label %name, label %unusual
name:
  %i = phi i64 [ 0, %measure ], [ %i.next, %note ]
  %seen = phi i64 [ 0, %measure ], [ %seen.next, %note ]
  %item.p = getelementptr ptr, ptr %api, i64 $interpreter_name
  %item.f = load ptr, ptr %item.p, align 8
  %item = call $host ptr %item.f(ptr %names, i64 %i)
  %text.p = getelementptr ptr, ptr %api, i64 $interpreter_text
  %text = load ptr, ptr %text.p, align 8
  %kind.p = getelementptr i8, ptr %item, i64 $objectbytes_type
  %kind = load ptr, ptr %kind.p, align 8
  %is.text = icmp eq ptr %kind, %text
  br i1 %is.text, label %compare, label %unusual
compare:
  %j = phi i64 [ 0, %name ], [ %j.next, %differs ]
  %known.p = getelementptr ptr, ptr %known, i64 %j
  %one = load ptr, ptr %known.p, align 8
  %same = icmp eq ptr %one, %item
  br i1 %same, label %hit, label %read
read:
  %compare.p = getelementptr ptr, ptr %api, i64 $interpreter_compare
  %compare.f = load ptr, ptr %compare.p, align 8
  %order.of = call $host i32 %compare.f(ptr %one, ptr %item)
  %equal = icmp eq i32 %order.of, 0
  br i1 %equal, label %hit, label %differs
differs:
  %j.next = add i64 %j, 1
  %j.more = icmp slt i64 %j.next, %outputs
  br i1 %j.more, label %compare, label %unusual
hit:
  %bit = shl i64 1, %j
  %before = and i64 %seen, %bit
  %fresh = icmp eq i64 %before, 0
  br i1 %fresh, label %note, label %unusual
note:
  %seen.next = or i64 %seen, %bit
  %to = getelementptr i64, ptr %order, i64 %i
  store i64 %j, ptr %to, align 8
  %i.next = add i64 %i, 1
  %i.more = icmp slt i64 %i.next, %size
  br i1 %i.more, label %name, label %named
named:
  ret i64 %size
unusual:
  ret i64 0
}

; The values of the inputs, held, as far as there are any; how many those are.
define internal i64 @fed(ptr %words, ptr %api, ptr %feed, ptr %feeds) nounwind {
entry:
  %dict.p = getelementptr ptr, ptr %api, i64 $interpreter_dict
  %dict = load ptr, ptr %dict.p, align 8
  %type.p = getelementptr i8, ptr %feed, i64 $objectbytes_type
  %type = load ptr, ptr %type.p, align 8
  %is.dict = icmp eq ptr %type, %dict
  br i1 %is.dict, label %measure, label %unusual
measure:
  %inputs.p = getelementptr i64, ptr %words, i64 $shortcut_inputs
  %inputs = load i64, ptr %inputs.p, align 8
  %size.p = getelementptr ptr, ptr %api, i64 $interpreter_feed_count
  %size.f = load ptr, ptr %size.p, align 8
  %size = call $host i64 %size.f(ptr %feed)
  %exact = icmp eq i64 %size, %inputs
  br i1 %exact, label %next, label %unusual
next:
  %i = phi i64 [ 0, %measure ], [ %i.next, %hold ]
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %look, label %done
look:
  %specs = getelementptr i64, ptr %words, i64 $shortcut_feeds
  %spec = getelementptr [2 x ptr], ptr %specs, i64 %i
  %name = load ptr, ptr %spec, align 8
  %fed.p = getelementptr ptr, ptr %api, i64 $interpreter_fed
  %fed.f = load ptr, ptr %fed.p, align 8
  %value = call $host ptr %fed.f(ptr %feed, ptr %name)
  %given = icmp ne ptr %value, null
  br i1 %given, label %hold, label %absent
hold:
  %hold.p = getelementptr ptr, ptr %api, i64 $interpreter_hold
  %hold.f = load ptr, ptr %hold.p, align 8
  call $host void %hold.f(ptr %value)
  %to = getelementptr ptr, ptr %feeds, i64 %i
  store ptr %value, ptr %to, align 8
  %i.next = add i64 %i, 1
  br label %next
absent:
  call void @forget(ptr %api)
  br label %done
done:
  ret i64 %i
unusual:
  ret i64 -1
}

; Whether the values of the inputs are plain arrays. A look-up may run code, which may change an array that was
; found before: so this is asked when all are found.
define internal i1 @are_plain(ptr %words, ptr %api, ptr %feeds) nounwind {
entry:
  %inputs.p = getelementptr i64, ptr %words, i64 $shortcut_inputs
  %inputs = load i64, ptr %inputs.p, align 8
  %specs = getelementptr i64, ptr %words, i64 $shortcut_feeds
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %another ]
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %look, label %usual
look:
  %from = getelementptr ptr, ptr %feeds, i64 %i
  %value = load ptr, ptr %from, align 8
  %array.p = getelementptr ptr, ptr %api, i64 $interpreter_array
  %array = load ptr, ptr %array.p, align 8
  %kind.p = getelementptr i8, ptr %value, i64 $objectbytes_type
  %kind = load ptr, ptr %kind.p, align 8
  %is.array = icmp eq ptr %kind, %array
  br i1 %is.array, label %read, label %unusual
read:
  %wanted.p = getelementptr [2 x i64], ptr %specs, i64 %i, i64 1
  %wanted = load i64, ptr %wanted.p, align 8
  %dtype.p = getelementptr i8, ptr %value, i64 $objectbytes_dtype
  %dtype = load ptr, ptr %dtype.p, align 8
  %number.p = getelementptr i8, ptr %dtype, i64 $objectbytes_number
  %number.32 = load i32, ptr %number.p, align 4
  %number = zext i32 %number.32 to i64
  %right = icmp eq i64 %number, %wanted
  %order.p = getelementptr i8, ptr %dtype, i64 $objectbytes_order
  %order = load i8, ptr %order.p, align 1
  %native = icmp ne i8 %order, $swapped
  %typed = and i1 %right, %native
  %flags.p = getelementptr i8, ptr %value, i64 $objectbytes_flags
  %flags = load i32, ptr %flags.p, align 4
  %flat = and i32 %flags, $flat
  %is.flat = icmp eq i32 %flat, $flat
  %plain = and i1 %typed, %is.flat
  br i1 %plain, label %another, label %unusual
another:
  %i.next = add i64 %i, 1
  br label %next
usual:
  ret i1 true
unusual:
  ret i1 false
}

define internal void @let_go(ptr %api, ptr %objects, i64 %count) nounwind {
entry:
  %let.p = getelementptr ptr, ptr %api, i64 $interpreter_let_go
  %let.f = load ptr, ptr %let.p, align 8
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %from = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %from, align 8
  call $host void %let.f(ptr %object)
  %i.next = add i64 %i, 1
  br label %next
done:
  ret void
}

; The row of the sizes of these arrays, if there is one that is not busy.
define internal ptr @known(ptr %words, ptr %feeds) nounwind {
entry:
  %inputs.p = getelementptr i64, ptr %words, i64 $shortcut_inputs
  %inputs = load i64, ptr %inputs.p, align 8
  br label %feed
feed:
  %n = phi i64 [ 0, %entry ], [ %n.next, %mixed ]
  %hash = phi i64 [ 0, %entry ], [ %hash.sizes, %mixed ]
  %n.more = icmp slt i64 %n, %inputs
  br i1 %n.more, label %head, label %set
head:
  %fed.p = getelementptr ptr, ptr %feeds, i64 %n
  %fed = load ptr, ptr %fed.p, align 8
  %ranks.p = getelementptr i8, ptr %fed, i64 $objectbytes_axes
  %ranks.32 = load i32, ptr %ranks.p, align 4
  %ranks = zext i32 %ranks.32 to i64
  %extents.p = getelementptr i8, ptr %fed, i64 $objectbytes_sizes
  %extents = load ptr, ptr %extents.p, align 8
  %rank.mixed = xor i64 %hash, %ranks
  %hash.rank = mul i64 %rank.mixed, $hash_factor
  br label %mix
mix:
  %a = phi i64 [ 0, %head ], [ %a.next, %extent ]
  %hash.sizes = phi i64 [ %hash.rank, %head ], [ %hash.next, %extent ]
  %a.more = icmp slt i64 %a, %ranks
  br i1 %a.more, label %extent, label %mixed
extent:
  %extent.p = getelementptr i64, ptr %extents, i64 %a
  %extent.v = load i64, ptr %extent.p, align 8
  %size.mixed = xor i64 %hash.sizes, %extent.v
  %hash.next = mul i64 %size.mixed, $hash_factor
  %a.next = add i64 %a, 1
  br label %mix
mixed:
  %n.next = add i64 %n, 1
  br label %feed
set:
  %table.p = getelementptr i64, ptr %words, i64 $shortcut_rows
  %table = load ptr, ptr %table.p, align 8
  %chosen = lshr i64 %hash, $hash_shift
  %rows = getelementptr [$row_ways x ptr], ptr %table, i64 %chosen
  br label %try
try:
  %k = phi i64 [ 0, %set ], [ %k.next, %another ]
  %row.p = getelementptr ptr, ptr %rows, i64 %k
  %row = load ptr, ptr %row.p, align 8
  %there = icmp ne ptr %row, null
  br i1 %there, label %idle, label %another
idle:
  %busy = load i64, ptr %row, align 8
  %free = icmp eq i64 %busy, 0
  %shapes = getelementptr i64, ptr %row, i64 $boundrow_key
  br i1 %free, label %next, label %another
next:
  %i = phi i64 [ 0, %idle ], [ %i.next, %equal ]
  %p = phi ptr [ %shapes, %idle ], [ %p.next, %equal ]
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %rank, label %found
rank:
  %from = getelementptr ptr, ptr %feeds, i64 %i
  %array = load ptr, ptr %from, align 8
  %axes.p = getelementptr i8, ptr %array, i64 $objectbytes_axes
  %axes.32 = load i32, ptr %axes.p, align 4
  %axes = zext i32 %axes.32 to i64
  %sizes.p = getelementptr i8, ptr %array, i64 $objectbytes_sizes
  %sizes = load ptr, ptr %sizes.p, align 8
  %expected = load i64, ptr %p, align 8
  %ranked = icmp eq i64 %axes, %expected
  %p.sizes = getelementptr i64, ptr %p, i64 1
  br i1 %ranked, label %axis, label %another
axis:
  %d = phi i64 [ 0, %rank ], [ %d.next, %size ]
  %d.more = icmp slt i64 %d, %axes
  br i1 %d.more, label %size, label %equal
size:
  %mine.p = getelementptr i64, ptr %p.sizes, i64 %d
  %mine = load i64, ptr %mine.p, align 8
  %given.p = getelementptr i64, ptr %sizes, i64 %d
  %given = load i64, ptr %given.p, align 8
  %d.next = add i64 %d, 1
  %same = icmp eq i64 %mine, %given
  br i1 %same, label %axis, label %another
equal:
  %p.next = getelementptr i64, ptr %p.sizes, i64 %axes
  %i.next = add i64 %i, 1
  br label %next
another:
  %k.next = add i64 %k, 1
  %k.more = icmp slt i64 %k.next, $row_ways
  br i1 %k.more, label %try, label %unknown
found:
  ret ptr %row
unknown:
  ret ptr null
}

; Run the segments of a row and of those that follow it: the list of the outputs that are wanted; null if one failed,
; or read numbers that no row follows, with what Python must see raised. The arrays that native code writes come
; behind the feeds. What makes an output of both is code of Python, so the list is made when nothing else is to be done.
define internal ptr @results(ptr %words, ptr %api, ptr %root, ptr %feeds, ptr %order, i64 %wanted) nounwind {
entry:
  %answers = alloca [$most_names x ptr], align 16
  %owners = alloca [$most_segments x ptr], align 16
  %inputs.p = getelementptr i64, ptr %words, i64 $shortcut_inputs
  %inputs = load i64, ptr %inputs.p, align 8
  %outputs = getelementptr ptr, ptr %feeds, i64 %inputs
  %hold.p = getelementptr ptr, ptr %api, i64 $interpreter_hold
  %hold.f = load ptr, ptr %hold.p, align 8
  store i64 1, ptr %root, align 8
  br label %segment
segment:
  %row = phi ptr [ %root, %entry ], [ %following, %behind ]
  %held = phi i64 [ 0, %entry ], [ %held.next, %behind ]
  %before = phi i64 [ %inputs, %entry ], [ %objects, %behind ]
  %count.p = getelementptr i64, ptr %row, i64 $boundrow_made
  %count = load i64, ptr %count.p, align 8
  %owner.p = getelementptr i64, ptr %row, i64 $boundrow_owner
  %owner = load ptr, ptr %owner.p, align 8
  call $host void %hold.f(ptr %owner)
  %holding = getelementptr ptr, ptr %owners, i64 %held
  store ptr %owner, ptr %holding, align 8
  %held.next = add i64 %held, 1
  %own = getelementptr ptr, ptr %feeds, i64 %before
  %made = call i64 @make(ptr %api, ptr %row, ptr %own, i64 %count)
  %objects = add i64 %before, %made
  %complete = icmp eq i64 %made, %count
  br i1 %complete, label %open, label %stop
open:
  %opened = call i1 @look_up(ptr %api, ptr %row, ptr %feeds)
  br i1 %opened, label %point, label %stop
point:
  %reads.p = getelementptr i64, ptr %row, i64 $boundrow_reads
  %reads = load ptr, ptr %reads.p, align 8
  br label %next
next:
  %i = phi i64 [ 0, %point ], [ %i.next, %input ]
  %p = phi ptr [ %reads, %point ], [ %p.next, %input ]
  %more = icmp slt i64 %i, %before
  br i1 %more, label %input, label %execute
input:
  %from = getelementptr ptr, ptr %feeds, i64 %i
  %array = load ptr, ptr %from, align 8
  %p.next = call ptr @patch(ptr %p, ptr %array)
  %i.next = add i64 %i, 1
  br label %next
execute:
  %code = call i64 @perform(ptr %words, ptr %api, ptr %row)
  %good = icmp eq i64 %code, 0
  br i1 %good, label %continue, label %stop
continue:
  %numbers.p = getelementptr i64, ptr %row, i64 $boundrow_numbers
  %numbers = load ptr, ptr %numbers.p, align 8
  %last = icmp eq ptr %numbers, null
  br i1 %last, label %collect, label %behind
behind:
  %following = call ptr @following(ptr %row, ptr %numbers, ptr %feeds)
  %known = icmp ne ptr %following, null
  br i1 %known, label %segment, label %stop
stop:
  store i64 0, ptr %root, align 8
  br label %finish
collect:
  %served.p = getelementptr i64, ptr %root, i64 $boundrow_served
  %served = load i64, ptr %served.p, align 8
  %served.next = add i64 %served, 1
  store i64 %served.next, ptr %served.p, align 8
  store i64 0, ptr %root, align 8
  %results.p = getelementptr i64, ptr %row, i64 $boundrow_results
  %results = load ptr, ptr %results.p, align 8
  %call.p = getelementptr ptr, ptr %api, i64 $interpreter_call
  %call.f = load ptr, ptr %call.p, align 8
  br label %answer
answer:
  %n = phi i64 [ 0, %collect ], [ %n.next, %keep ]
  %which.p = getelementptr i64, ptr %order, i64 %n
  %which = load i64, ptr %which.p, align 8
  %result.p = getelementptr ptr, ptr %results, i64 %which
  %place = load i64, ptr %result.p, align 8
  %is.there = icmp ult i64 %place, %objects
  br i1 %is.there, label %there, label %make
there:
  %object.p = getelementptr ptr, ptr %feeds, i64 %place
  %object = load ptr, ptr %object.p, align 8
  call $host void %hold.f(ptr %object)
  br label %keep
make:
  %maker = load ptr, ptr %result.p, align 8
  %new = call $host ptr %call.f(ptr %maker, ptr %feeds, i64 %objects, ptr null)
  %is.made = icmp ne ptr %new, null
  br i1 %is.made, label %keep, label %failed
keep:
  %one = phi ptr [ %object, %there ], [ %new, %make ]
  %answer.p = getelementptr ptr, ptr %answers, i64 %n
  store ptr %one, ptr %answer.p, align 8
  %n.next = add i64 %n, 1
  %n.more = icmp slt i64 %n.next, %wanted
  br i1 %n.more, label %answer, label %list
list:
  %list.p = getelementptr ptr, ptr %api, i64 $interpreter_new_list
  %list.f = load ptr, ptr %list.p, align 8
  %list.new = call $host ptr %list.f(i64 %wanted)
  %listed = icmp ne ptr %list.new, null
  br i1 %listed, label %put, label %failed
failed:
  %answered = phi i64 [ %n, %make ], [ %wanted, %list ]
  call void @forget(ptr %api)
  call void @let_go(ptr %api, ptr %answers, i64 %answered)
  br label %finish
put:
  %m = phi i64 [ 0, %list ], [ %m.next, %put ]
  %from.p = getelementptr ptr, ptr %answers, i64 %m
  %item = load ptr, ptr %from.p, align 8
  %set.p = getelementptr ptr, ptr %api, i64 $interpreter_set_item
  %set.f = load ptr, ptr %set.p, align 8
  %set = call $host i32 %set.f(ptr %list.new, i64 %m, ptr %item)
  %m.next = add i64 %m, 1
  %m.more = icmp slt i64 %m.next, %wanted
  br i1 %m.more, label %put, label %finish
finish:
  %given = phi ptr [ null, %stop ], [ null, %failed ], [ %list.new, %put ]
  %written = sub i64 %objects, %inputs
  call void @let_go(ptr %api, ptr %outputs, i64 %written)
  call void @let_go(ptr %api, ptr %owners, i64 %held.next)
  ret ptr %given
}

; The row that follows one for the numbers that are read behind it; null if there is none.
define internal ptr @following(ptr %row, ptr %numbers, ptr %objects) nounwind {
entry:
  %values = alloca [$most_numbers x i64], align 16
  %count = load i64, ptr %numbers, align 8
  %first = getelementptr i64, ptr %numbers, i64 1
  br label %read
read:
  %i = phi i64 [ 0, %entry ], [ %i.next, %note ]
  %hash = phi i64 [ 0, %entry ], [ %hash.next, %note ]
  %number = getelementptr [3 x i64], ptr %first, i64 %i
  %object = load i64, ptr %number, align 8
  %at.p = getelementptr i64, ptr %number, i64 1
  %at = load i64, ptr %at.p, align 8
  %bytes.p = getelementptr i64, ptr %number, i64 2
  %bytes = load i64, ptr %bytes.p, align 8
  %inside = icmp sge i64 %object, 0
  br i1 %inside, label %array, label %known
array:
  %array.p = getelementptr ptr, ptr %objects, i64 %object
  %array.v = load ptr, ptr %array.p, align 8
  %data.p = getelementptr i8, ptr %array.v, i64 $objectbytes_data
  %data = load i64, ptr %data.p, align 8
  br label %known
known:
  %base = phi i64 [ 0, %read ], [ %data, %array ]
  %address = add i64 %base, %at
  %element = inttoptr i64 %address to ptr
  switch i64 %bytes, label %long [
    i64 1, label %byte
    i64 4, label %short
  ]
long:
  %long.v = load i64, ptr %element, align 8
  br label %note
short:
  %short.32 = load i32, ptr %element, align 4
  %short.v = sext i32 %short.32 to i64
  br label %note
byte:
  %byte.8 = load i8, ptr %element, align 1
  %byte.v = zext i8 %byte.8 to i64
  br label %note
note:
  %value = phi i64 [ %long.v, %long ], [ %short.v, %short ], [ %byte.v, %byte ]
  %to = getelementptr i64, ptr %values, i64 %i
  store i64 %value, ptr %to, align 8
  %mixed = xor i64 %hash, %value
  %hash.next = mul i64 %mixed, $hash_factor
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %count
  br i1 %more, label %read, label %table
table:
  %table.p = getelementptr i64, ptr %row, i64 $boundrow_following
  %table.v = load ptr, ptr %table.p, align 8
  %set = lshr i64 %hash.next, $hash_shift
  %set.p = getelementptr [$row_ways x ptr], ptr %table.v, i64 %set
  br label %try
try:
  %k = phi i64 [ 0, %table ], [ %k.next, %another ]
  %found.p = getelementptr ptr, ptr %set.p, i64 %k
  %found = load ptr, ptr %found.p, align 8
  %there = icmp ne ptr %found, null
  br i1 %there, label %compare, label %another
compare:
  %j = phi i64 [ 0, %try ], [ %j.next, %equal ]
  %j.more = icmp slt i64 %j, %count
  br i1 %j.more, label %one, label %hit
one:
  %key.p = getelementptr i64, ptr %found, i64 $boundrow_key
  %mine.p = getelementptr i64, ptr %key.p, i64 %j
  %mine = load i64, ptr %mine.p, align 8
  %given.p = getelementptr i64, ptr %values, i64 %j
  %given = load i64, ptr %given.p, align 8
  %same = icmp eq i64 %mine, %given
  br i1 %same, label %equal, label %another
equal:
  %j.next = add i64 %j, 1
  br label %compare
another:
  %k.next = add i64 %k, 1
  %k.more = icmp slt i64 %k.next, $row_ways
  br i1 %k.more, label %try, label %unknown
hit:
  ret ptr %found
unknown:
  ret ptr null
}

; New arrays for what native code writes, and the words that point at them; how many there was memory for.
define internal i64 @make(ptr %api, ptr %row, ptr %outputs, i64 %count) nounwind {
entry:
  %arrays.p = getelementptr i64, ptr %row, i64 $boundrow_arrays
  %arrays = load ptr, ptr %arrays.p, align 8
  %array.p = getelementptr ptr, ptr %api, i64 $interpreter_array
  %array = load ptr, ptr %array.p, align 8
  %new.p = getelementptr ptr, ptr %api, i64 $interpreter_new_array
  %new.f = load ptr, ptr %new.p, align 8
  %hold.p = getelementptr ptr, ptr %api, i64 $interpreter_hold
  %hold.f = load ptr, ptr %hold.p, align 8
  br label %next
next:
  %n = phi i64 [ 0, %entry ], [ %n.next, %keep ]
  %p = phi ptr [ %arrays, %entry ], [ %p.next, %keep ]
  %more = icmp slt i64 %n, %count
  br i1 %more, label %one, label %done
one:
  %dtype = load ptr, ptr %p, align 8
  %axes.p = getelementptr i64, ptr %p, i64 1
  %axes = load i64, ptr %axes.p, align 8
  %axes.32 = trunc i64 %axes to i32
  %sizes = getelementptr i64, ptr %p, i64 2
  call $host void %hold.f(ptr %dtype)
  %new = call $host ptr %new.f(ptr %array, ptr %dtype, i32 %axes.32, ptr %sizes, ptr null, ptr null, i32 0, ptr null)
  %made = icmp ne ptr %new, null
  br i1 %made, label %keep, label %lacking
keep:
  %to = getelementptr ptr, ptr %outputs, i64 %n
  store ptr %new, ptr %to, align 8
  %patches = getelementptr i64, ptr %sizes, i64 %axes
  %p.next = call ptr @patch(ptr %patches, ptr %new)
  %n.next = add i64 %n, 1
  br label %next
lacking:
  call void @forget(ptr %api)
  br label %done
done:
  ret i64 %n
}

; Let words point at the elements of an array; what stands behind their list.
define internal ptr @patch(ptr %patches, ptr %array) nounwind {
entry:
  %data.p = getelementptr i8, ptr %array, i64 $objectbytes_data
  %data = load i64, ptr %data.p, align 8
  %count = load i64, ptr %patches, align 8
  %first = getelementptr i64, ptr %patches, i64 1
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %patch = getelementptr [2 x i64], ptr %first, i64 %i
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %word = load ptr, ptr %patch, align 8
  %offset.p = getelementptr i64, ptr %patch, i64 1
  %offset = load i64, ptr %offset.p, align 8
  %address = add i64 %data, %offset
  store i64 %address, ptr %word, align 8
  %i.next = add i64 %i, 1
  br label %next
done:
  ret ptr %patch
}

; The calls of a row, if it has any, alone at a free station or with the team; 0 if they all did what they should.
define internal i64 @perform(ptr %words, ptr %api, ptr %row) nounwind {
entry:
  %launch.p = getelementptr i64, ptr %row, i64 $boundrow_launch
  %launch = load ptr, ptr %launch.p, align 8
  %let.p = getelementptr ptr, ptr %api, i64 $interpreter_let_go
  %let.f = load ptr, ptr %let.p, align 8
  %team.p = getelementptr i64, ptr %row, i64 $boundrow_team
  %team = load ptr, ptr %team.p, align 8
  %idle = icmp eq ptr %launch, null
  br i1 %idle, label %well, label %choose
choose:
  %alone = icmp eq ptr %team, null
  br i1 %alone, label %search, label %together
search:
  %stations.p = getelementptr i64, ptr %words, i64 $shortcut_stations
  %stations = load ptr, ptr %stations.p, align 8
  br label %try
try:
  %k = phi i64 [ 0, %search ], [ %k.next, %taken ]
  %station.p = getelementptr ptr, ptr %stations, i64 %k
  %station = load ptr, ptr %station.p, align 8
  %busy = load i64, ptr %station, align 8
  %free = icmp eq i64 %busy, 0
  br i1 %free, label %take, label %taken
taken:
  %k.next = add i64 %k, 1
  %k.more = icmp slt i64 %k.next, $station_count
  br i1 %k.more, label %try, label %failed
take:
  store i64 1, ptr %station, align 8
  %owner.p = getelementptr i64, ptr %station, i64 $stationblock_owner
  %owner = load ptr, ptr %owner.p, align 8
  %hold.p = getelementptr ptr, ptr %api, i64 $interpreter_hold
  %hold.f = load ptr, ptr %hold.p, align 8
  call $host void %hold.f(ptr %owner)
  %context.p = getelementptr i64, ptr %station, i64 $stationblock_context
  %context = load ptr, ptr %context.p, align 8
  %holds.p = getelementptr i64, ptr %row, i64 $boundrow_holds
  %holds = load i64, ptr %holds.p, align 8
  %short = icmp ne i64 %holds, 0
  br i1 %short, label %holding, label %released
holding:
  %quick = call $host i64 @sdx_solo(ptr %launch, ptr %context)
  br label %back
released:
  %leave.p = getelementptr ptr, ptr %api, i64 $interpreter_leave
  %leave.f = load ptr, ptr %leave.p, align 8
  %enter.p = getelementptr ptr, ptr %api, i64 $interpreter_enter
  %enter.f = load ptr, ptr %enter.p, align 8
  %state = call $host ptr %leave.f()
  %long = call $host i64 @sdx_solo(ptr %launch, ptr %context)
  call $host void %enter.f(ptr %state)
  br label %back
back:
  %code = phi i64 [ %quick, %holding ], [ %long, %released ]
  store i64 0, ptr %station, align 8
  call $host void %let.f(ptr %owner)
  ret i64 %code
together:
  %argument = getelementptr i64, ptr %row, i64 $boundrow_argument
  %call.p = getelementptr ptr, ptr %api, i64 $interpreter_call
  %call.f = load ptr, ptr %call.p, align 8
  %answer = call $host ptr %call.f(ptr %team, ptr %argument, i64 1, ptr null)
  %calm = icmp ne ptr %answer, null
  br i1 %calm, label %judge, label %raised
judge:
  call $host void %let.f(ptr %answer)
  %none = load ptr, ptr %api, align 8
  %good = icmp eq ptr %answer, %none
  br i1 %good, label %well, label %failed
well:
  ret i64 0
raised:
  call void @forget(ptr %api)
  br label %failed
failed:
  ret i64 -1
}

; Forget what is raised, since Python repeats what failed; but not what ends more than a run, as an interrupt does.
define internal void @forget(ptr %api) nounwind {
entry:
  %exception.p = getelementptr ptr, ptr %api, i64 $interpreter_exception
  %exception = load ptr, ptr %exception.p, align 8
  %failed.p = getelementptr ptr, ptr %api, i64 $interpreter_failed
  %failed.f = load ptr, ptr %failed.p, align 8
  %usual = call $host i32 %failed.f(ptr %exception)
  %repeated = icmp ne i32 %usual, 0
  br i1 %repeated, label %clear, label %done
clear:
  %forget.p = getelementptr ptr, ptr %api, i64 $interpreter_forget
  %forget.f = load ptr, ptr %forget.p, align 8
  call $host void %forget.f()
  br label %done
done:
  ret void
}

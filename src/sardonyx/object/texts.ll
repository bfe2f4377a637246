; Texts of Python as numbers, by dictionaries of texts. An object that is no text, exactly of that type, is not
; asked for anything, since that may run code. All of it needs the interpreter lock, and lets no other code run.

; What opens a run of a row: the numbers of the texts that are fed; false if a feed holds something else.
define internal i1 @look_up(ptr %api, ptr %row, ptr %feeds) nounwind {
entry:
  %lookups.p = getelementptr i64, ptr %row, i64 $boundrow_lookups
  %lookups = load ptr, ptr %lookups.p, align 8
  %many.p = getelementptr i64, ptr %row, i64 $boundrow_looked_up
  %many = load i64, ptr %many.p, align 8
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %many
  br i1 %more, label %one, label %done
one:
  %lookup = getelementptr [$lookup_words x i64], ptr %lookups, i64 %i
  %input.p = getelementptr i64, ptr %lookup, i64 $lookup_input
  %input = load i64, ptr %input.p, align 8
  %table.p = getelementptr i64, ptr %lookup, i64 $lookup_table
  %table = load ptr, ptr %table.p, align 8
  %count.p = getelementptr i64, ptr %lookup, i64 $lookup_count
  %count = load i64, ptr %count.p, align 8
  %numbers.p = getelementptr i64, ptr %lookup, i64 $lookup_numbers
  %numbers = load ptr, ptr %numbers.p, align 8
  %array.p = getelementptr ptr, ptr %feeds, i64 %input
  %array = load ptr, ptr %array.p, align 8
  %texts.p = getelementptr i8, ptr %array, i64 $objectbytes_data
  %texts = load ptr, ptr %texts.p, align 8
  %well = call i1 @number(ptr %api, ptr %table, ptr %texts, i64 %count, ptr %numbers)
  %i.next = add i64 %i, 1
  br i1 %well, label %next, label %strange
done:
  ret i1 true
strange:
  ret i1 false
}

; A built-in function of an array of objects, a dictionary, and an array of as many words: writes the number of
; each text, -1 where it has none. None in place of the dictionary: whether all are texts is asked, nothing
; written. Gives True, or False if an object is no text. The arrays must be plain.
define $host ptr @sdx_texts(ptr %self, ptr %args, i64 %given, ptr %keywords) nounwind {
entry:
  %words.p = getelementptr i8, ptr %self, i64 $objectbytes_data
  %words = load ptr, ptr %words.p, align 8
  %api.p = getelementptr i64, ptr %words, i64 $shortcut_interpreter
  %api = load ptr, ptr %api.p, align 8
  %array = load ptr, ptr %args, align 8
  %table.p = getelementptr ptr, ptr %args, i64 1
  %table = load ptr, ptr %table.p, align 8
  %target.p = getelementptr ptr, ptr %args, i64 2
  %target = load ptr, ptr %target.p, align 8
  %texts.p = getelementptr i8, ptr %array, i64 $objectbytes_data
  %texts = load ptr, ptr %texts.p, align 8
  %numbers.p = getelementptr i8, ptr %target, i64 $objectbytes_data
  %numbers = load ptr, ptr %numbers.p, align 8
  %axes.p = getelementptr i8, ptr %array, i64 $objectbytes_axes
  %axes = load i32, ptr %axes.p, align 4
  %sizes.p = getelementptr i8, ptr %array, i64 $objectbytes_sizes
  %sizes = load ptr, ptr %sizes.p, align 8
  br label %next
next:
  %d = phi i32 [ 0, %entry ], [ %d.next, %axis ]
  %count = phi i64 [ 1, %entry ], [ %count.next, %axis ]
  %more = icmp slt i32 %d, %axes
  br i1 %more, label %axis, label %all
axis:
  %size.p = getelementptr i64, ptr %sizes, i32 %d
  %size = load i64, ptr %size.p, align 8
  %count.next = mul i64 %count, %size
  %d.next = add i32 %d, 1
  br label %next
all:
  %none = load ptr, ptr %api, align 8
  %only.asked = icmp eq ptr %table, %none
  %dictionary = select i1 %only.asked, ptr null, ptr %table
  %well = call i1 @number(ptr %api, ptr %dictionary, ptr %texts, i64 %count, ptr %numbers)
  %calm = call i1 @is_calm(ptr %api)
  br i1 %calm, label %say, label %raised
say:
  %true.p = getelementptr ptr, ptr %api, i64 $interpreter_true
  %true = load ptr, ptr %true.p, align 8
  %false.p = getelementptr ptr, ptr %api, i64 $interpreter_false
  %false = load ptr, ptr %false.p, align 8
  %answer = select i1 %well, ptr %true, ptr %false
  %hold.p = getelementptr ptr, ptr %api, i64 $interpreter_hold
  %hold.f = load ptr, ptr %hold.p, align 8
  call $host void %hold.f(ptr %answer)
  ret ptr %answer
raised:
  ret ptr null
}

; The numbers of texts by a dictionary, -1 of those that it lacks; without one nothing is written. Arrays that were
; never filled hold null, which stands for None. False if an object is no text.
define internal i1 @number(ptr %api, ptr %table, ptr %texts, i64 %count, ptr %numbers) nounwind {
entry:
  %text.p = getelementptr ptr, ptr %api, i64 $interpreter_text
  %text = load ptr, ptr %text.p, align 8
  %look.p = getelementptr ptr, ptr %api, i64 $interpreter_fed
  %look.f = load ptr, ptr %look.p, align 8
  %number.p = getelementptr ptr, ptr %api, i64 $interpreter_number
  %number.f = load ptr, ptr %number.p, align 8
  %only.asked = icmp eq ptr %table, null
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %another ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %from = getelementptr ptr, ptr %texts, i64 %i
  %object = load ptr, ptr %from, align 8
  %there = icmp ne ptr %object, null
  br i1 %there, label %ask, label %strange
ask:
  %kind.p = getelementptr i8, ptr %object, i64 $objectbytes_type
  %kind = load ptr, ptr %kind.p, align 8
  %is.text = icmp eq ptr %kind, %text
  br i1 %is.text, label %found, label %strange
found:
  br i1 %only.asked, label %another, label %look
look:
  %value = call $host ptr %look.f(ptr %table, ptr %object)
  %known = icmp ne ptr %value, null
  br i1 %known, label %count.it, label %put
count.it:
  %of.value = call $host i64 %number.f(ptr %value)
  br label %put
put:
  %number = phi i64 [ %of.value, %count.it ], [ -1, %look ]
  %to = getelementptr i64, ptr %numbers, i64 %i
  store i64 %number, ptr %to, align 8
  br label %another
another:
  %i.next = add i64 %i, 1
  br label %next
done:
  %calm = call i1 @is_calm(ptr %api)
  ret i1 %calm
strange:
  ret i1 false
}

; Whether nothing is raised. Legacy texts of Python 3.11 ask for memory when they are first hashed.
define internal i1 @is_calm(ptr %api) nounwind {
entry:
  %raised.p = getelementptr ptr, ptr %api, i64 $interpreter_is_raised
  %raised.f = load ptr, ptr %raised.p, align 8
  %raised = call $host ptr %raised.f()
  %calm = icmp eq ptr %raised, null
  ret i1 %calm
}

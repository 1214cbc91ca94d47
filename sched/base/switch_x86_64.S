/*
 * switch_x86_64.S - leaving one stack for another
 *
 * Purpose     Defines wf_switch_start, wf_switch_enter and wf_switch_leave of switch.h, and
 *             wf_switch_begin, where the stack of a fiber begins.
 * Threads     See switch.h.
 * Invariants  A stopped stack begins with the two floating-point control words, whether they are
 *             its own (of a stack that was left, the only one that is entered), the six registers
 *             that a callee saves, and the address where it continues.
 * Ordering    None.
 * Failure     None.
 *
 * Only what goes back to the thread's stack compares the control words. The processor writes mxcsr
 * to memory late, and a branch that depends on it holds up what follows: when both directions
 * compared, a switch took 11 ns instead of 7.
 */
#if defined(__x86_64__) && !defined(__ILP32__)

	.text

/* Saves the registers and the control words on the current stack. */
.macro save
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	push	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	push	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	push	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
.endm

/* Restores the registers that the current stack has saved. */
.macro restore
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	pop	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	pop	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	pop	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	pop	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
.endm

/* Goes on where the current stack has stopped. A return would be predicted to go to the caller of
 * this switch. Where indirect branches are tracked (CET), the prefix lets this one go behind a
 * call, where there is no endbr64. */
.macro continue
	restore
	pop	%rdx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdx
	notrack jmp	*%rdx
.endm

/* Sets the flag "equal" if the control words of the current stack, which lie where its stack
 * pointer points, are those at `other`. The six low bits of mxcsr are flags of what happened, which
 * no function preserves. */
.macro compare_controls other
	mov	(%rsp), %ecx
	movzwl	4(%rsp), %edx
	xor	(\other), %ecx
	xor	4(\other), %dx
	and	$-64, %ecx
	or	%edx, %ecx
.endm

/* The CFI between `save` and `restore`. Both stacks have the same layout, so it holds for the one
 * and for the other. */
.macro saved_cfi
	.cfi_def_cfa_offset 64
	.cfi_rel_offset %rbp, 48
	.cfi_rel_offset %rbx, 40
	.cfi_rel_offset %r12, 32
	.cfi_rel_offset %r13, 24
	.cfi_rel_offset %r14, 16
	.cfi_rel_offset %r15, 8
.endm

	.hidden	wf_switch_enter
	.globl	wf_switch_enter
	.type	wf_switch_enter, @function
	.p2align 4
/* (ret_from: rdi, to: rsi) */
wf_switch_enter:
	.cfi_startproc
	save
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	cmpw	$0, 6(%rsp)
	jne	.Lown
.Lentered:
	continue
	.cfi_endproc
	.size	wf_switch_enter, .-wf_switch_enter

	.hidden	wf_switch_leave
	.globl	wf_switch_leave
	.type	wf_switch_leave, @function
	.p2align 4
/* (ret_from: rdi, to: rsi) */
wf_switch_leave:
	.cfi_startproc
	save
	movw	$0, 6(%rsp)
	mov	%rsp, (%rdi)
	compare_controls %rsi
	jne	.Ldiffer
.Lleave:
	mov	%rsi, %rsp
	continue
	.cfi_endproc
	.size	wf_switch_leave, .-wf_switch_leave

/* Seldom, and out of the way. */
	.p2align 4
.Lown:
	.cfi_startproc
	saved_cfi
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	jmp	.Lentered
.Ldiffer:
	movw	$1, 6(%rsp)
	ldmxcsr	(%rsi)
	fldcw	4(%rsi)
	jmp	.Lleave
	.cfi_endproc

	.hidden	wf_switch_start
	.globl	wf_switch_start
	.type	wf_switch_start, @function
	.p2align 4
/* (ret_from: rdi, top: rsi, function: rdx, argument: rcx) */
wf_switch_start:
	.cfi_startproc
	save
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	.cfi_endproc
	.size	wf_switch_start, .-wf_switch_start

	.hidden	wf_switch_begin
	.globl	wf_switch_begin
	.type	wf_switch_begin, @function
/* The new stack, which ends here for unwinders. */
wf_switch_begin:
	.cfi_startproc
	.cfi_undefined %rip
	xor	%ebp, %ebp
	mov	%rcx, %rdi
	call	*%rdx
	sub	$8, %rsp
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	compare_controls %rax
	jne	.Lended_differs
.Lended:
	mov	%rax, %rsp
	.cfi_endproc
	.size	wf_switch_begin, .-wf_switch_begin
/* Back on the thread's stack. All calls of the new one have returned, so the processor predicts
 * this return and those of its callers. */
	.cfi_startproc
	saved_cfi
	restore
	ret
	.cfi_endproc

	.p2align 4
.Lended_differs:
	.cfi_startproc
	.cfi_undefined %rip
	ldmxcsr	(%rax)
	fldcw	4(%rax)
	jmp	.Lended
	.cfi_endproc

#endif
	.section .note.GNU-stack, "", %progbits

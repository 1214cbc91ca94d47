/*
 * catch_x86_64.S - a call that a panic can end early, where setjmp would cost more than most polls
 *
 * Purpose     Defines wf_catch_call_saved and wf_catch_end_saved of catch.h.
 * Threads     See catch.h.
 * Invariants  *innermost points into the stack of the innermost call. There stands the value that
 *             *innermost had before, and above it the six registers that a callee saves. The
 *             function is called with rsp = *innermost, which is a multiple of 16.
 * Ordering    None.
 * Failure     None.
 */
#if defined(__x86_64__) && !defined(__ILP32__)

	.text
	.hidden	wf_catch_call_saved
	.globl	wf_catch_call_saved
	.type	wf_catch_call_saved, @function
	.p2align 4
/* wf_caught (rax, rdx) of (a: rdi, b: rsi, function: rdx, innermost: rcx) */
wf_catch_call_saved:
	.cfi_startproc
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
	mov	%rcx, %rbx
	push	(%rbx)
	.cfi_adjust_cfa_offset 8
	mov	%rsp, (%rbx)
	call	*%rdx
	xor	%edx, %edx
/* rbx is innermost, rdx the message */
.Lreturn:
	pop	(%rbx)
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
	ret
	.cfi_endproc
	.size	wf_catch_call_saved, .-wf_catch_call_saved

	.hidden	wf_catch_end_saved
	.globl	wf_catch_end_saved
	.type	wf_catch_end_saved, @function
	.p2align 4
/* Does not return: (message: rdi, innermost: rsi) */
wf_catch_end_saved:
	.cfi_startproc
	.cfi_undefined %rip
	mov	%rdi, %rdx
	mov	%rsi, %rbx
	mov	(%rbx), %rsp
	jmp	.Lreturn
	.cfi_endproc
	.size	wf_catch_end_saved, .-wf_catch_end_saved

#endif
	.section .note.GNU-stack, "", %progbits

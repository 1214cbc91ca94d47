/*
 * switch_aarch64.S - leaving one stack for another
 *
 * Purpose     Defines wf_switch_start, wf_switch_enter and wf_switch_leave of switch.h, and
 *             wf_switch_begin, where the stack of a fiber begins. Reading the control register is
 *             cheap here, so entering and leaving are one function.
 * Threads     See switch.h.
 * Invariants  A stopped stack begins with the registers that a callee saves and the control
 *             register of the floating-point unit.
 * Ordering    None.
 * Failure     None.
 */
#if defined(__aarch64__) && !defined(__ILP32__)

	.text
/* Saves the registers and the control register, which x9 has then, on the current stack, whose
 * stack pointer goes to *x0. */
.macro save
	sub	sp, sp, #176
	.cfi_def_cfa_offset 176
	stp	x19, x20, [sp, #0]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	stp	x21, x22, [sp, #16]
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	stp	x23, x24, [sp, #32]
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	stp	x25, x26, [sp, #48]
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	stp	x27, x28, [sp, #64]
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	stp	x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mrs	x9, fpcr
	str	x9, [sp, #160]
	mov	x10, sp
	str	x10, [x0]
.endm

/* Restores what the current stack has saved. x9 is the control register. */
.macro restore
	ldr	x10, [sp, #160]
	cmp	x9, x10
	b.eq	1f
	msr	fpcr, x10
1:
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #176
	.cfi_def_cfa_offset 0
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore x29
	.cfi_restore x30
.endm

/* The CFI between `save` and `restore`. Both stacks have the same layout, so it holds for the one
 * and for the other. */
.macro saved_cfi
	.cfi_def_cfa_offset 176
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
.endm

	.hidden	wf_switch_enter
	.globl	wf_switch_enter
	.type	wf_switch_enter, %function
	.hidden	wf_switch_leave
	.globl	wf_switch_leave
	.type	wf_switch_leave, %function
	.p2align 4
/* (ret_from: x0, to: x1) */
wf_switch_enter:
wf_switch_leave:
	.cfi_startproc
	save
	mov	sp, x1
	restore
/* A return would be predicted to go to the caller of this switch. */
	br	x30
	.cfi_endproc
	.size	wf_switch_enter, .-wf_switch_enter
	.size	wf_switch_leave, .-wf_switch_leave

	.hidden	wf_switch_start
	.globl	wf_switch_start
	.type	wf_switch_start, %function
	.p2align 4
/* (ret_from: x0, top: x1, function: x2, argument: x3) */
wf_switch_start:
	.cfi_startproc
	save
	mov	sp, x1
	.cfi_endproc
	.size	wf_switch_start, .-wf_switch_start

	.hidden	wf_switch_begin
	.globl	wf_switch_begin
	.type	wf_switch_begin, %function
/* The new stack, which ends here for unwinders. */
wf_switch_begin:
	.cfi_startproc
	.cfi_undefined x30
	mov	x29, #0
	mov	x0, x3
	blr	x2
	mrs	x9, fpcr
	mov	sp, x0
	.cfi_endproc
	.size	wf_switch_begin, .-wf_switch_begin
/* Back on the thread's stack. All calls of the new one have returned, so the processor predicts
 * this return and those of its callers. */
	.cfi_startproc
	saved_cfi
	restore
	ret
	.cfi_endproc

#endif
	.section .note.GNU-stack, "", %progbits

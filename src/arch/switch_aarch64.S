/* switch_aarch64.S: the context switch for 64-bit Arm, AAPCS64.
 *
 * A saved context, from its stack pointer up, 176 bytes:
 *      0 x19 x20   16 x21 x22   32 x23 x24   48 x25 x26   64 x27 x28   80 x29 x30 (where to go on)
 *     96 d8 d9    112 d10 d11  128 d12 d13  144 d14 d15  160 FPCR, 8 unused
 * bti marks stand where an indirect branch may land; they are no-ops on older cores (hint space). */
#if defined(__aarch64__)
#define BTI_C hint 34
#define BTI_J hint 36
	.text

	.macro	RESTORE
	ldr	x9, [sp, #160]
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	msr	fpcr, x9
	ldp	x29, x30, [sp, #80]
	ldp	x27, x28, [sp, #64]
	ldp	x25, x26, [sp, #48]
	ldp	x23, x24, [sp, #32]
	ldp	x21, x22, [sp, #16]
	ldp	x19, x20, [sp]
	add	sp, sp, #176
	.endm

	.globl	arch_switch_call
	.hidden	arch_switch_call
	.type	arch_switch_call, %function
	.p2align 5
arch_switch_call:                            /* x0: void **save, x1: void *sp */
	.cfi_startproc
	BTI_C
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	stp	x19, x20, [sp]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
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
	stlr	x10, [x0]               /* release: the registers first */
	mov	sp, x1
	RESTORE
	.cfi_adjust_cfa_offset -176
	.cfi_restore x29
	.cfi_restore x30
	br	x30
	.cfi_endproc
	.size	arch_switch_call, .-arch_switch_call

	.globl	arch_jump
	.hidden	arch_jump
	.type	arch_jump, %function
	.p2align 4
arch_jump:                              /* x0: void *sp */
	.cfi_startproc
	.cfi_undefined x30
	BTI_C
	mov	sp, x0
	RESTORE
	br	x30
	.cfi_endproc
	.size	arch_jump, .-arch_jump

	.type	entry, %function
	.p2align 4
entry:                                  /* first run: x19 entry, x20 arg */
	.cfi_startproc
	.cfi_undefined x30              /* unwinders and debuggers stop here */
	BTI_J
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	entry, .-entry

	.globl	arch_make
	.hidden	arch_make
	.type	arch_make, %function
	.p2align 4
arch_make:                              /* x0: void *top, x1: entry, x2: arg */
	.cfi_startproc
	BTI_C
	sub	x0, x0, #176
	stp	x1, x2, [x0]
	adr	x9, entry
	stp	xzr, x9, [x0, #80]
	str	xzr, [x0, #160]         /* the ABI's initial FPCR, not the caller's */
	ret
	.cfi_endproc
	.size	arch_make, .-arch_make

#endif

	.section .note.GNU-stack,"",%progbits

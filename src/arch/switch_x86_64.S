/* switch_x86_64.S: the context switch for x86-64, System V ABI.
 *
 * A saved context, from its stack pointer up:
 *      0  MXCSR (4 bytes), x87 control word (2 bytes), 2 unused
 *      8  r15   16 r14   24 r13   32 r12   40 rbx   48 rbp
 *     56  where to go on
 * The objects are not marked for shadow stacks (SHSTK): a switch would break them. endbr64 stands where an indirect
 * jump may land. */
#if defined(__x86_64__)
	.text

	.globl	arch_switch
	.hidden	arch_switch
	.type	arch_switch, @function
	.p2align 5
arch_switch:                            /* rdi: void **save, rsi: void *sp */
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movq	%rsp, (%rdi)            /* release: x86 keeps stores in order */
	movq	%rsi, %rsp
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	jmp	*%rcx
	.cfi_endproc
	.size	arch_switch, .-arch_switch

	.globl	arch_jump
	.hidden	arch_jump
	.type	arch_jump, @function
	.p2align 4
arch_jump:                              /* rdi: void *sp */
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%rdi, %rsp
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	popq	%rcx
	jmp	*%rcx
	.cfi_endproc
	.size	arch_jump, .-arch_jump

	.type	entry, @function
	.p2align 4
entry:                                  /* first run: r12 entry, r13 arg, stack 16-byte aligned */
	.cfi_startproc
	.cfi_undefined rip              /* unwinders and debuggers stop here */
	endbr64
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	entry, .-entry

	.globl	arch_make
	.hidden	arch_make
	.type	arch_make, @function
	.p2align 4
arch_make:                              /* rdi: void *top, rsi: entry, rdx: arg */
	.cfi_startproc
	endbr64
	leaq	-64(%rdi), %rax
	movl	$0x1f80, (%rax)         /* the ABI's initial MXCSR and x87 control word, not the caller's */
	movl	$0x037f, 4(%rax)
	movq	%rdx, 24(%rax)
	movq	%rsi, 32(%rax)
	movq	$0, 48(%rax)
	leaq	entry(%rip), %rcx
	movq	%rcx, 56(%rax)
	ret
	.cfi_endproc
	.size	arch_make, .-arch_make

#endif

	.section .note.GNU-stack,"",@progbits

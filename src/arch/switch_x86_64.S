/* switch_x86_64.S: the context switch for x86-64, System V ABI.
 *
 * A saved context, from its stack pointer up:
 *      0  MXCSR (4 bytes), x87 control word (2 bytes), 2 unused
 *      8  rbp
 *     16  where to go on
 * The switch itself is in switch.h.
 * The objects are not marked for shadow stacks (SHSTK): a switch would break them. endbr64 stands where an indirect
 * jump may land. */
#if defined(__x86_64__)
	.text

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
	popq	%rbp
	popq	%rcx
	jmp	*%rcx
	.cfi_endproc
	.size	arch_jump, .-arch_jump

	.type	entry, @function
	.p2align 4
entry:                                  /* first run: on the stack are the entry and its argument, then it is 16-byte aligned */
	.cfi_startproc
	.cfi_undefined rip              /* unwinders and debuggers stop here */
	endbr64
	xorl	%ebp, %ebp
	popq	%rax
	popq	%rdi
	callq	*%rax
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
	leaq	-40(%rdi), %rax
	movl	$0x1f80, (%rax)         /* the ABI's initial MXCSR and x87 control word, not the caller's */
	movl	$0x037f, 4(%rax)
	movq	$0, 8(%rax)
	leaq	entry(%rip), %rcx
	movq	%rcx, 16(%rax)
	movq	%rsi, 24(%rax)
	movq	%rdx, 32(%rax)
	ret
	.cfi_endproc
	.size	arch_make, .-arch_make

#endif

	.section .note.GNU-stack,"",@progbits

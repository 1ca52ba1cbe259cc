/* migrate_registers.S: unsigned long registers_over_call(uint64_t x, void (*fn)(void *), void *arg, uint64_t *got): fill every
 * register that a call must keep with x, x + 1, x + 2... (floating point: their bits), call fn(arg), and write down in
 * got[] what they hold then. Returns how many. In assembly, as no compiler lets its frame pointer be used so. */
#if defined(__x86_64__)
	.text
	.globl	registers_over_call
	.type	registers_over_call, @function
registers_over_call:                    /* rbx rbp r12 r13 r14 r15 */
	endbr64
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rcx                    /* the seventh: the stack is aligned */
	movq	%rdi, %rbx
	leaq	1(%rdi), %rbp
	leaq	2(%rdi), %r12
	leaq	3(%rdi), %r13
	leaq	4(%rdi), %r14
	leaq	5(%rdi), %r15
	movq	%rdx, %rdi
	callq	*%rsi
	popq	%rcx
	movq	%rbx, (%rcx)
	movq	%rbp, 8(%rcx)
	movq	%r12, 16(%rcx)
	movq	%r13, 24(%rcx)
	movq	%r14, 32(%rcx)
	movq	%r15, 40(%rcx)
	movl	$6, %eax
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	registers_over_call, .-registers_over_call
#elif defined(__aarch64__)
	.text
	.globl	registers_over_call
	.type	registers_over_call, %function
registers_over_call:                    /* x19 to x29, d8 to d15 */
	hint	34                      /* bti c */
	sub	sp, sp, #176
	stp	x19, x20, [sp]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	str	x3, [sp, #160]
	mov	x19, x0
	add	x20, x0, #1
	add	x21, x0, #2
	add	x22, x0, #3
	add	x23, x0, #4
	add	x24, x0, #5
	add	x25, x0, #6
	add	x26, x0, #7
	add	x27, x0, #8
	add	x28, x0, #9
	add	x29, x0, #10
	add	x9, x0, #11
	fmov	d8, x9
	add	x9, x0, #12
	fmov	d9, x9
	add	x9, x0, #13
	fmov	d10, x9
	add	x9, x0, #14
	fmov	d11, x9
	add	x9, x0, #15
	fmov	d12, x9
	add	x9, x0, #16
	fmov	d13, x9
	add	x9, x0, #17
	fmov	d14, x9
	add	x9, x0, #18
	fmov	d15, x9
	mov	x0, x2
	blr	x1
	ldr	x9, [sp, #160]
	stp	x19, x20, [x9]
	stp	x21, x22, [x9, #16]
	stp	x23, x24, [x9, #32]
	stp	x25, x26, [x9, #48]
	stp	x27, x28, [x9, #64]
	str	x29, [x9, #80]
	stp	d8, d9, [x9, #88]
	stp	d10, d11, [x9, #104]
	stp	d12, d13, [x9, #120]
	stp	d14, d15, [x9, #136]
	mov	x0, #19
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x29, x30, [sp, #80]
	ldp	x27, x28, [sp, #64]
	ldp	x25, x26, [sp, #48]
	ldp	x23, x24, [sp, #32]
	ldp	x21, x22, [sp, #16]
	ldp	x19, x20, [sp]
	add	sp, sp, #176
	ret
	.size	registers_over_call, .-registers_over_call
#endif

	.section .note.GNU-stack,"",%progbits

/* ring.pml: the run queue of src/sched/runq.h: every task is taken exactly once.
 *
 * A ring of 2 slots, one owner that pushes 4 tasks and pops, two thieves that take one each time: read the head, copy the slot,
 * claim it by CAS on the head (ring_steal, ring_pop). Indices count on and on, slots wrap around.
 * Property: no task is taken twice, none is lost. Mutation (makes the model fail): -DNO_CAS the thief stores the head. */
#define SIZE 2
#define TASKS 4
byte head, tail, slots[SIZE], taken[TASKS + 1], total;

inline take(t) { atomic { assert(taken[t] == 0); taken[t] = 1; total++ } }

proctype owner() {
    byte h, t, next = 1;
    bool won;
    do
    :: next <= TASKS && tail - head < SIZE -> /* ring_push */
        slots[tail % SIZE] = next;
        atomic { tail++; next++ }
    :: head != tail -> /* ring_pop */
        h = head;
        t = slots[h % SIZE];
        atomic {
            if
            :: head == h && h != tail -> head = h + 1; won = true
            :: else -> won = false
            fi
        };
        if
        :: won -> take(t)
        :: else
        fi
    :: next > TASKS && head == tail -> break
    od
}
proctype thief() {
    byte h, t;
    bool won;
end:
    do
    :: head != tail ->
        h = head;
        if
        :: h != tail ->
            t = slots[h % SIZE]; /* copied first */
#ifdef NO_CAS
            head = h + 1; won = true;
#else
            atomic {
                if
                :: head == h -> head = h + 1; won = true
                :: else -> won = false
                fi
            };
#endif
            if
            :: won -> take(t)
            :: else
            fi
        :: else
        fi
    od
}
init { atomic { run owner(); run thief(); run thief() } timeout -> assert(total == TASKS) }

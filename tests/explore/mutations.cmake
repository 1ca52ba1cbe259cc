# One broken line each; who finds it.
mutation(chan_close_leaves_senders chan chan/life.c
  "    wait_ready_all(senders);"
  "")
mutation(chan_close_wakes_one chan chan/life.c
  "    while ((n = waitq_claim(q))) {"
  "    if ((n = waitq_claim(q))) {")
mutation(chan_close_forgets_a_copy chan chan/chan.c
  "    if (c->closed) { /* closed meanwhile: the value is still the caller's */"
  "    if (0) {"
  .300)
mutation(chan_recv_leaves_a_sender chan chan/chan.c
  "        refill_and_unlock(c);"
  "        spin_unlock(&c->lock);")
mutation(chan_block_wakes_nobody chan chan/chan.c
  "    struct waiter *sender = waitq_claim(&c->senders);\n    struct parker *p = sender ? sender->parker : NULL;\n    if (sender)\n        sender->result = -EAGAIN;"
  "    struct parker *p = NULL;"
  .300)
mutation(park_timer_ends_what_is_woken chan sched/park.c
  "    if (a_cas_acq_rel(&t->parker.token, &open, token(epoch, TIMEDOUT))) /* [park.claim] */"
  "    if (epoch_of(a_load_acq(&t->parker.token)) == epoch)")
mutation(park_solo_wakes_what_is_cancelled ctx sched/park.c
  " && a_load_rlx(&p->token) == n->token) { /* [park.solo] */"
  ") {")
mutation(park_opens_after_the_cancel ctx sched/park.c
  "    int err = p->ctx ? a_load_acq(&p->ctx->err) : 0; /* [ctx.err] */"
  "    int err = 0;")
mutation(select_does_not_look_again select chan/select.c
  "        ssize_t k = find_ready(s);"
  "        ssize_t k = -EAGAIN;")
mutation(select_takes_a_turn_for_a_value select chan/select.c
  "    if (s->entries[k].result == -EAGAIN) { /* a large value's turn: there is room now */"
  "    if (0) {"
  .300)
mutation(ctx_end_ends_no_wait ctx ctx/ctx.c
  "        carry_end(&c->carried);"
  "        ;")
mutation(ctx_done_comes_open ctx ctx/ctx.c
  "            ctx->done.closed |= CHAN_CLOSED;"
  "            (void)ctx;"
  life.)
mutation(sem_leaver_serves_nobody sync sync/sem.c
  "        unlink_waiter(s, me);\n    serve(s, &served);"
  "        unlink_waiter(s, me);"
  sem.)
mutation(sem_serves_without_taking sync sync/sem.c
  "        if (end_wait(s, n, 0, &end))\n            s->out_ += k;"
  "        end_wait(s, n, 0, &end);"
  sem.)
mutation(mutex_leaver_hides_others sync sync/mutex.c
  "    while (!queue(m)->head && word & WAITERS)"
  "    while (word & WAITERS)"
  mutex.)
mutation(mutex_waiter_does_not_look_again sync sync/mutex.c
  "        if (take_or_mark(m, id, since != 0)) { /* who comes here again was woken */"
  "        if (0) {"
  mutex.)
mutation(rwmutex_forgets_who_waits sync sync/rwmutex.c
  "    a_store_rel(&m->word_, word | waiters_bit(m)); /* [rwmutex.word] R3: nobody else changes it now */"
  "    a_store_rel(&m->word_, word);"
  rwmutex.)
mutation(wg_done_does_not_see_who_waits sync sync/wg.c
  "        if (count == 0 && word >= ONE_WAITER) {"
  "        if (0) {"
  wg.)
mutation(event_set_wakes_nobody sync sync/event.c
  "        end = waitq_claim_all(queue(e), end);"
  "        ;"
  event.)
mutation(once_failure_passes_for_done sync sync/once.c
  "            a_store_rel(&n->result, TURN_RUN);"
  "            a_store_rel(&n->result, TURN_DONE);"
  once.)
mutation(cond_signals_before_it_waits sync sync/cond.c
  "    spin_lock(&c->lock_);\n    err = wait_begin("
  "    (void)weft_mutex_unlock(m);\n    spin_lock(&c->lock_);\n    err = wait_begin("
  cond.)
mutation(group_error_cancels_nobody group ctx/group.c
  "        weft_ctx_cancel(g->ctx, err);"
  "        ;")
mutation(marks_told_by_two marks chan/marks.c
  "    if (m->telling)\n        return false;"
  "")
mutation(marks_forgets_the_others marks chan/marks.c
  "    while ((number = next_to_tell(c, m))) {"
  "    if ((number = next_to_tell(c, m))) {")
mutation(marks_looks_too_late marks chan/chan.c
  "    bool crossed = marked && chan_marks_crossed(c);\n    spin_unlock(&c->lock);\n    if (out)"
  "    spin_unlock(&c->lock);\n    spin_lock(&c->lock);\n    bool crossed = marked && chan_marks_crossed(c);\n    spin_unlock(&c->lock);\n    if (out)"
  .300)
mutation(pool_wakes_nobody pool pattern/pool_submit.c
  "    if (p->idle)\n        weft_cond_signal(&p->work);"
  "")
mutation(pool_cancel_leaves_the_key pool pattern/pool_job.c
  "    queue_give_key(&p->jobs, j);"
  ""
  .kk)
mutation(pool_close_leaves_submitters pool pattern/pool.c
  "    weft_cond_broadcast(&p->space);"
  ""
  .wooo)
mutation(pool_surplus_all_leave pool pattern/pool_work.c
  "        if (p->alive > p->target)"
  "        if (p->target == 1 && p->alive)")
mutation(pool_nested_waits_for_room pool pattern/pool_submit.c
  "        if (me)\n            return accept(p, j);"
  ""
  .No)
mutation(pool_nobody_helps pool pattern/pool_job.c
  "        while (w && j->state != JOB_ENDED && !err)"
  "        while (0)"
  .n)
mutation(pool_books_of_two_instants pool pattern/pool_stats.c
  "        .queued = s.entered - s.struck - b->started + b->retried - b->dropped - b->cancelled,"
  "        .queued = s.entered - s.struck - b->started + b->retried - b->dropped,"
  .hJ)
mutation(pool_moves_twice pool pattern/pool_plain.c
  "    if (p->mode != 0) /* there already, or at its end */"
  "    if (p->mode & MODE_BOARD)"
  .ooohooo)
mutation(pool_late_submitter_lost pool pattern/pool_plain.c
  "    if (err == -EPIPE)\n        return elsewhere(p, e, until, wait);"
  "    if (err == -EPIPE)\n        return 0;")
mutation(pool_delivers_to_nobody pool pattern/pool_work.c
  "    else if (p->idle && (p->jobs.ready || p->jobs.delayed || deliverable(p)))"
  "    else if (p->idle && (p->jobs.ready || p->jobs.delayed))"
  .PhxW)
mutation(pool_sleeps_over_the_pause pool pattern/pool_work.c
  "    weft_time due = p->paused ? WEFT_NEVER : queue_due(&p->jobs);"
  "    weft_time due = WEFT_NEVER;"
  .r.)
mutation(merge_turn_is_lost merge pattern/merge_turn.c
  "    else\n        give_locked(t);"
  "")
mutation(merge_remove_does_not_wait merge pattern/merge.c
  "    weft_wg_hold(&in->touching);"
  "")
mutation(merge_removed_value_is_dropped merge pattern/merge.c
  "    int last = in->has_value && err != -EPIPE ? deliver(in, false) : 0;"
  "    int last = 0;")
mutation(merge_cancel_leaves_it_open merge pattern/merge.c
  "    weft_ctx_cancel(weft_group_ctx(m->group), cause);\n    close_intake(m);"
  "    weft_ctx_cancel(m->taking, cause);")
mutation(rate_leaver_wakes_nobody rate pattern/rate.c
  "    take(r, me->behind);\n    if (r->first)\n        weft_cond_signal(&r->first->turn);"
  "    take(r, me->behind);")
mutation(rate_return_serves_too_early rate pattern/rate.c
  "        uint64_t k = w->behind < n ? w->behind : n;"
  "        uint64_t k = 0;"
  "b|R")
mutation(flight_turn_is_lost flight pattern/flight.c
  "        weft_cond_signal(&c->changed); /* the turn that we were given goes to the next */"
  ""
  "o|o|o|z")
mutation(flight_cancelled_leader_tells_nobody flight pattern/flight.c
  "    if (alone)\n        weft_cond_signal(&c->changed);"
  "    if (alone)\n        (void)0;")
mutation(flight_leaves_a_trace flight pattern/flight.c
  "    if (last)\n        unlist(f, c);"
  "")
mutation(breaker_trial_is_lost breaker pattern/breaker.c
  "        b->trying -= b->state == WEFT_BREAKER_HALF_OPEN;"
  "")
mutation(quit_leaves_untold quit pattern/quit.c
  "        weft_cond_broadcast(&q->leaving);"
  ""
  "mo|s")
mutation(quit_order_is_lost quit pattern/quit.c
  "    while (!m->left && !err)"
  "    while (!m->left && err)"
  "om")
mutation(quit_adds_late quit pattern/quit.c
  "    int err = q->quitting || has_begun(q, WEFT_QUIT_STOP) ? -ESHUTDOWN : 0;"
  "    int err = 0;"
  "+")
mutation(pool_submitter_keeps_a_wake pool pattern/pool_submit.c
  "            if (p->submitters && board_has_room(p)) /* a wake-up that came to us */\n                weft_cond_signal(&p->space);\n"
  ""
  .z)
mutation(pubsub_leaves_its_publisher pubsub pattern/pubsub.c
  "    weft_mutex_unlock(&p->lock);\n    weft_chan_close(s->c);\n    subscribers_unref(old);"
  "    weft_mutex_unlock(&p->lock);\n    subscribers_unref(old);")
mutation(timeout_takes_the_outer_end timeout pattern/timeout.c
  "    if (err == -ETIMEDOUT && weft_ctx_deadline(own) < weft_ctx_deadline(outer))"
  "    if (err == -ETIMEDOUT)")
mutation(timeout_leaves_tasks_behind timeout pattern/timeout.c
  "    weft_ctx_cancel(own, 0); /* what fn has started in it and left behind */"
  ""
  .l)
mutation(timeout_idle_looks_once timeout pattern/timeout.c
  "    int err = left > 0 ? weft_timer_reset(&w->timer, left) : -ETIMEDOUT;"
  "    int err = left > 0 ? 0 : -ETIMEDOUT;"
  .j)
mutation(retry_pause_is_cut_short retry pattern/retry.c
  "    return d > 0 ? weft_sleep(d) : 0;"
  "    if (d > 0)\n        (void)weft_sleep(d);\n    return 0;")
mutation(retry_waits_for_nothing retry pattern/retry.c
  "    if (end >= (deadline < context_ends ? deadline : context_ends))"
  "    if (end >= deadline)"
  .c)
mutation(retry_attempt_without_limit retry pattern/retry.c
  "    WEFT_WITH_TIMEOUT(o->timeout) {"
  "    WEFT_WITH_TIMEOUT(WEFT_NEVER) {"
  .t)
mutation(or_free_ends_no_task or pattern/or.c
  "    weft_task_cancel(o->task, 0);"
  ""
  F)
mutation(or_done_comes_second or pattern/or.c
  "WEFT_NEVER, WEFT_SELECT_ORDERED);"
  "WEFT_NEVER, 0);"
  .o)
mutation(broadcast_leaver_wakes_nobody broadcast chan/broadcast.c
  "    struct waiter *senders = claim_all(&b->senders, -EAGAIN); /* several places may be free: let all look */"
  "    struct waiter *senders = NULL;")
mutation(broadcast_sender_keeps_the_wake broadcast chan/broadcast.c
  "        forget_read(b, &gone);\n    struct parker *sender = claim_sender(b);\n    unlock(b);\n    for ("
  "        forget_read(b, &gone);\n    struct parker *sender = NULL;\n    unlock(b);\n    for (")
mutation(watch_close_leaves_watchers broadcast chan/watch.c
  "        if (n->amount >= v && !all)"
  "        if (n->amount >= v)")

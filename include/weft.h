/* <weft.h>: everything weft has. One idea is one header below; include one alone when that is all you use. */
#ifndef WEFT_H
#define WEFT_H

#include <weft/base.h>
#include <weft/block.h>
#include <weft/barrier.h>
#include <weft/breaker.h>
#include <weft/broadcast.h>
#include <weft/chan.h>
#include <weft/cond.h>
#include <weft/ctx.h>
#include <weft/debug.h>
#include <weft/each.h>
#include <weft/errno.h>
#include <weft/event.h>
#include <weft/gen.h>
#include <weft/fan.h>
#include <weft/flight.h>
#include <weft/group.h>
#include <weft/io.h>
#include <weft/items.h>
#include <weft/merge.h>
#include <weft/mutex.h>
#include <weft/once.h>
#include <weft/pipeline.h>
#include <weft/pool.h>
#include <weft/process.h>
#include <weft/pubsub.h>
#include <weft/quit.h>
#include <weft/rate.h>
#include <weft/retry.h>
#include <weft/rwmutex.h>
#include <weft/select.h>
#include <weft/sem.h>
#include <weft/sim.h>
#include <weft/task.h>
#include <weft/time.h>
#include <weft/timeout.h>
#include <weft/timer.h>
#include <weft/trace.h>
#include <weft/watch.h>
#include <weft/wg.h>

#endif

// main.cc: from C++, with a typed channel and an exception that is caught over a park.
#include <weft.h>

#include <stdexcept>

WEFT_CHAN_OF(ints, int);

static int
sender(void *arg)
{
    try {
        throw std::runtime_error("inside the task");
    } catch (const std::exception &) {
        weft_yield(); // another task throws meanwhile, perhaps on another thread
        return ints_send(static_cast<ints *>(arg), 42);
    }
}

static int
run(void *)
{
    int sum = 0, v;
    ints *c = ints_new(0);
    for (int i = 0; i < 100; i++)
        if (weft_go(sender, c) != 0)
            return 1;
    for (int i = 0; i < 100 && ints_recv(c, &v) == 0; i++)
        sum += v;
    ints_free(c);
    return sum == 4200 ? 0 : 1;
}

int
main()
{
    return weft_run(run, nullptr);
}

/* form_pool.c: a pool of 8 workers. See forms.h. */
#include "forms.h"

int
main(int argc, char **argv)
{
    return form_main(POOL, "form_pool", argc, argv);
}

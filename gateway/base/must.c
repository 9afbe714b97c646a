#include "gateway/base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_failed(const char *file, int line)
{
    fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"assertion_failed\",\"site\":\"%s:%d\"}\n", file, line);
    abort();
}

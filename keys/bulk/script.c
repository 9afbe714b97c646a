#include "keys/bulk/script.h"

#define SCRIPT                                                                                                       \
    "local c,a=redis.call,ARGV "                                                                                     \
    "if c('HGET',KEYS[1],'fence')~=a[1] then return 0 end "                                                          \
    "local i,n=3,tonumber(a[2]) "                                                                                    \
    "if n>0 and c('EXISTS',unpack(a,i,i+n-1))~=0 then return -1 end "                                                \
    "i=i+n n=tonumber(a[i]) local f=a[i+1] i=i+2 "                                                                   \
    "if n>0 and c('EXISTS',unpack(a,i,i+n-1))~=0 then "                                                              \
    "for k=i,i+n-1 do if c('HEXISTS',a[k],f)==1 then return -1 end end end i=i+n "                                   \
    "while i<=#a do n=tonumber(a[i]) c(unpack(a,i+1,i+n)) i=i+n+1 end return 1"

void nz_args_put(struct nz_args *a, struct slice word)
{
    a->n++;
    if (a->out)
        redis_arg(a->out, word);
}

void nz_args_u64(struct nz_args *a, uint64_t v)
{
    a->n++;
    if (a->out)
        redis_arg_u64(a->out, v);
}

void nz_args_cmd(struct nz_args *a, size_t n, const struct slice *words)
{
    nz_args_begin(a, n);
    for (size_t i = 0; i < n; i++)
        nz_args_put(a, words[i]);
}

void nz_args_unguarded(struct nz_args *a)
{
    nz_args_u64(a, 0);
    nz_args_u64(a, 0);
    nz_args_put(a, SLICE_NONE);
}

void nz_script_begin(struct redis_batch *out, const struct store_name *task, uint64_t fence, size_t n)
{
    redis_begin(out, 5 + n);
    redis_arg(out, LIT("EVAL"));
    redis_arg(out, LIT(SCRIPT));
    redis_arg_u64(out, 1);
    redis_arg(out, store_name_slice(task));
    redis_arg_u64(out, fence);
}

#include "keys/bulk/script.h"

/* New residents come as columns: every word that Lua takes over costs as much as a look into the store, and most rows of a first file are new. */
#define SCRIPT                                                                                                       \
    "local c,a,sub=redis.call,ARGV,string.sub "                                                                      \
    "if c('HGET',KEYS[1],'fence')~=a[1] then return 0 end "                                                          \
    "local i,n=3,tonumber(a[2]) local s=2 "                                                                          \
    "if n>0 and c('EXISTS',unpack(a,i,i+n-1))~=0 then return -1 end "                                                \
    "i=i+n n=tonumber(a[i]) local f=a[i+1] i=i+2 local p=i-1 "                                                       \
    "if n>0 and c('EXISTS',unpack(a,i,i+n-1))~=0 then "                                                              \
    "for k=i,i+n-1 do if c('HEXISTS',a[k],f)==1 then return -1 end end end i=i+n "                                   \
    "n=tonumber(a[i]) if n>0 then local r,k,d,v,m=s+n,i,i+n,i+2*n,{} "                                               \
    "for j=1,n do local id,rk=sub(a[s+j],3),a[r+j] m[2*j-1]=rk m[2*j]=id "                                           \
    "c('HSET',a[s+j],'k',a[k+j],'rk',sub(rk,11)) c('HSET',a[p+j],a[d+j],a[v+j],f,id) end "                           \
    "c('MSET',unpack(m)) end i=i+3*n+1 "                                                                             \
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
    nz_args_u64(a, 0);
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

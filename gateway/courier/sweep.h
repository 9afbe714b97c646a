#ifndef GW_COURIER_SWEEP_H
#define GW_COURIER_SWEEP_H

/* Dead letters of who was erased go too, a page at a time, without a scan at any erasure: what a message is about is neither tied to its municipality any more nor
 * known by its subject. Each that goes is recorded first (notice_dropped). */

struct courier;
struct sweep;
struct sweep *sweep_new(struct courier *c); /* NULL when out of memory */
void sweep_page(struct sweep *s);           /* one page, unless the last one is still being looked at */
void sweep_free(struct sweep *s);           /* when none of its questions is on its way (courier.questions); NULL is fine */

#endif

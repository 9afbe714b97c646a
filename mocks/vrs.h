#ifndef MOCKS_VRS_H
#define MOCKS_VRS_H

/* ワクチン接種記録システム as one sees it from a municipality: 1,741 municipalities, each with its own latency and habits, and who lived where before.
 *
 * Everybody has one former municipality, derived from the number and the seed, with doses derived likewise; persons can be planted besides. Records are
 * found by number and municipality together: whoever asks at the wrong one hears nothing, and that municipality does not hear of the person at all
 * (`learned` counts the persons whom a municipality was told of). Municipalities that are announced as another gateway's are asked there. */

#include "mocks/nation.h"

enum { VRS_MUNIS = 1741, VRS_MUNIS_MAX = 2048, VRS_PLANTED_MAX = 400000, VRS_PERSONS_MAX = 200, VRS_DOOR_MAX = 200, VRS_TOLD_MAX = 1000000 };

struct vrs_muni {
    char code[7];
    uint32_t latency_ms;       /* its median, in a realistic nation; the two others likewise */
    bool dead;                 /* takes questions and never answers */
    bool maintenance;          /* 503 */
    uint32_t set_latency_ms;   /* as switched, in every nation */
    bool set_dead, set_maintenance;
    char *door;                /* of the gateway that answers for it; NULL: VRS itself */
    uint64_t requests, persons, learned;
};

struct vrs_planted { char number[12]; char code[6]; char *json; /* list of immunizations */ };

struct vrs_told; /* vrs_report.c: what was registered */

struct vrs {
    struct vrs_muni muni[VRS_MUNIS_MAX];
    size_t n_munis;
    struct vrs_planted *planted; /* open addressing; json NULL: free */
    size_t n_planted, planted_cap;
    uint64_t seed, draws;
    bool realistic;            /* latencies as of real municipalities; otherwise none */
    uint64_t requests, persons;
    struct vrs_told *told;     /* in the order in which it was accepted */
    size_t n_told, told_cap;
    unsigned refuse;           /* so many rows are refused */
    uint64_t reports;
    struct client *client;     /* to gateways */
};

ERR vrs_new(struct vrs **ret_v);
void vrs_free(struct vrs *v); /* its client is closed */

struct vrs_muni *vrs_muni_of(struct vrs *v, struct slice code); /* NULL: there is none */
struct vrs_muni *vrs_muni_add(struct vrs *v, struct slice code); /* found or made; NULL: no municipality's code, or too many */
/* The former municipality of a number, by the seed. */
const struct vrs_muni *vrs_home(const struct vrs *v, struct slice number);
/* The list of immunizations; false: nothing is known of the person there. */
bool vrs_records(struct vrs *v, struct slice number, const struct vrs_muni *m, struct buf *out);
/* json: SLICE_NONE for one that is derived. FULL, NOMEM. */
ERR vrs_plant(struct vrs *v, struct slice number, struct slice code, struct slice json);
/* The newest of each record that was registered of the person by this municipality, but cancelled ones; false: none, and nothing was appended. */
bool vrs_told_records(const struct vrs *v, struct slice number, const struct vrs_muni *m, struct buf *out);
void vrs_told_free(struct vrs *v);
/* How long this municipality takes now. */
uint64_t vrs_latency(struct vrs *v, const struct vrs_muni *m);

/* vrs_control.c: on the control door */
handler_fn vrs_plant_post, vrs_home_post, vrs_settings_put, vrs_behaviour_put, vrs_gateway_post, vrs_state_get;
/* vrs_report.c: on VRS' own door, and the two last on the control door */
handler_fn vrs_registrations_post, vrs_records_post, vrs_told_get, vrs_refuse_put;

#endif

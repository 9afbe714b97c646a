#ifndef MOCKS_APPS_H
#define MOCKS_APPS_H

/* What the pages of the nation need beside its systems: cards to lay on a reader, and the certificates with which a clinic's system calls online
 * qualification and the gateway's clinic door. The browser has neither, and talks to the nation alone. */

#include "gateway/jose/jws.h"
#include "mocks/partners.h"
#include "mocks/options.h"

enum { APP_CLINICS = 2, DECK_A_FILE = 150, CLINIC_CODE = 10 };

struct app_clinic {
    const char *code, *ja, *en;
    struct client *client; /* NULL: there is no certificate */
};

struct apps {
    struct kept deck;              /* cards of the data files, without the number; DECK_A_FILE of each file */
    size_t deck_left;
    struct app_clinic clinics[APP_CLINICS];
    const char *clinic_door;       /* NULL: there is no clinic's page */
    char onshi[256];
    const char *audit_pub;         /* NULL: nobody handed the portal the key of the log */
    struct jws_signer *attributes; /* signs what a card says of its holder; NULL: there is no key */
};

/* Certificates that are missing leave their part out. NOMEM, CONFIG. */
ERR apps_open(struct nation *n, const struct options *o);
void apps_stop(struct nation *n); /* ends what is under way */
void apps_free(struct apps *a);

/* A line of a data file; its number is left out. */
ERR deck_add(struct apps *a, json_t *card, struct slice municipality);
/* The card as it stands in the deck, in the request's arena; NULL. */
json_t *deck_find(const struct apps *a, struct arena *arena, struct slice serial);

handler_fn deck_get, clinics_get, clinic_ask, log_key_get;

#endif

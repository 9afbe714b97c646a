#ifndef GW_FHIR_FHIR_INT_H
#define GW_FHIR_FHIR_INT_H

/* Between the files of this folder: pieces of resources. FHIR knows no empty text, object or array: none is begun that could end empty. */

#include "gateway/fhir/fhir.h"

#define FHIR_JP "http://jpfhir.jp/fhir/core/StructureDefinition/"
#define FHIR_SYS_INSTITUTION "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no"
#define FHIR_SYS_PAYER "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicPayerNumber"
#define FHIR_SYS_RECIPIENT "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicInsuredPersonNumber"
/* Ours. */
#define FHIR_SYS_ID "urn:pmhgw:fhir:id"
#define FHIR_SYS_MUNI "urn:pmhgw:municipality-code"
#define FHIR_EXT "urn:pmhgw:fhir:"

/* A resource of the bundle is begun, with type, id and profile (NULL: none); ver 0: no meta.versionId, at_ms 0: no meta.lastUpdated. False: not on this page. */
struct fhir_head { struct slice name; const char *profile; unsigned ver; uint64_t at_ms; };
bool fhir__resource(struct fhir *f, const struct fhir_head *h);
/* The same with an id that is there already. */
bool fhir__resource_named(struct fhir *f, const struct fhir_head *h, const char id[static FHIR_ID_CHARS]);
void fhir__resource_end(struct fhir *f);

/* FHIR has no text of blanks alone: SLICE_NONE for one. */
struct slice fhir__said(struct slice s);
/* Left out when there is nothing, or nothing but blanks. */
void fhir__text(struct jsonw *w, const char *name, struct slice s);
void fhir__date(struct jsonw *w, const char *name, ymd_t d);
void fhir__when(struct jsonw *w, const char *name, uint64_t ms);
/* "name":"value", or that it is masked when it looks like an individual number. name, masked_name: "value", "_value". */
void fhir__guarded(struct fhir *f, const char *name, const char *masked_name, struct slice value);
/* {"system","value"} under name (NULL: in an array). */
void fhir__identifier(struct fhir *f, const char *name, const char *system, struct slice value);
/* Why something that has to be there is not: an extension in the open object. */
void fhir__masked(struct jsonw *w);
/* {"system","code","display"} in an array. */
void fhir__coding(struct jsonw *w, const char *system, struct slice code, struct slice display);
/* name: {"coding":[one]} */
void fhir__concept(struct jsonw *w, const char *name, const char *system, struct slice code, struct slice display);
/* {"reference":"Patient/<id>"} */
void fhir__patient(struct fhir *f, const char *name);
/* {"type":"Organization","identifier":{...},"display"}: by its code of 10 or 6 characters, or a name alone. */
void fhir__organization(struct fhir *f, const char *name, struct slice code);
/* "_name": the same in English, when there is any. */
void fhir__english(struct jsonw *w, const char *masked_name, struct slice en);

void fhir__ident(struct fhir *f, enum fhir_type type, struct slice name, char out[static FHIR_ID_CHARS]);

#endif

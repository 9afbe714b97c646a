#include "keys/linkage/cell.h"

#include "keys/linkage/convert.h"

typedef enum nz_rule convert_fn(struct slice cell, struct buf *made, struct nz_value *ret_v);

static struct slice made_since(const struct buf *made, size_t from) { return slice_of(made->p + from, made->n - from); }

static enum nz_rule text_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    (void)made;
    ret_v->text = cell;
    return NZ_RULE_NONE;
}

static enum nz_rule kana_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    size_t from = made->n;
    ret_v->text = cell;
    if (!nz_convert_kana_needed(cell))
        return NZ_RULE_NONE;
    nz_convert_kana(cell, made);
    ret_v->text = made_since(made, from);
    return NZ_RULE_NONE;
}

static enum nz_rule digits_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    size_t from = made->n;
    ret_v->text = cell;
    if (!nz_convert_digits_needed(cell))
        return NZ_RULE_NONE;
    nz_convert_digits(cell, made);
    ret_v->text = made_since(made, from);
    return NZ_RULE_NONE;
}

static enum nz_rule date_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    char date[10];
    size_t from = made->n;
    if (!nz_convert_date(cell, date))
        return NZ_RULE_DATE;
    buf_put(made, ARR(date));
    ret_v->text = made_since(made, from);
    return NZ_RULE_NONE;
}

static enum nz_rule boolean_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    (void)made;
    ret_v->is_flag = true;
    return nz_convert_choice(cell, &ret_v->flag) ? NZ_RULE_NONE : NZ_RULE_CHOICE;
}

static enum nz_rule flag_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    bool yes;
    (void)made;
    if (!nz_convert_choice(cell, &yes))
        return NZ_RULE_CHOICE;
    ret_v->text = yes ? LIT("1") : LIT("0");
    return NZ_RULE_NONE;
}

static enum nz_rule sex_convert(struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    (void)made;
    return nz_convert_sex(cell, &ret_v->text) ? NZ_RULE_NONE : NZ_RULE_SEX;
}

static struct slice word_meant(const struct nz_column *c, struct slice cell)
{
    for (size_t i = 0; i < c->n_words; i++)
        if (slice_eq(cell, c->words[i].text))
            return c->words[i].value;
    return cell;
}

enum nz_rule nz_cell_convert(const struct nz_column *c, struct slice cell, struct buf *made, struct nz_value *ret_v)
{
    static convert_fn *const BY[] = {
        [NZ_AS_TEXT] = text_convert, [NZ_AS_KANA] = kana_convert,    [NZ_AS_DATE] = date_convert, [NZ_AS_BOOLEAN] = boolean_convert,
        [NZ_AS_FLAG] = flag_convert, [NZ_AS_DIGITS] = digits_convert, [NZ_AS_SEX] = sex_convert,
    };
    enum nz_rule suspect = nz_convert_suspect(cell);
    return suspect != NZ_RULE_NONE ? suspect : BY[c->as](word_meant(c, cell), made, ret_v);
}

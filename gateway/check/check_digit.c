#include "gateway/base/text.h"
#include "gateway/check/field.h"

/* = 診療報酬請求書等の記載要領 別添 (公費負担者番号等の設定要領) */
bool check_payer(struct slice d)
{
    if (d.n < 2 || !all_digits(d))
        return false;
    unsigned sum = 0, weight = 2;
    for (size_t i = d.n - 1; i-- > 0; weight = 3 - weight) {
        unsigned product = weight * (unsigned)(d.p[i] - '0');
        sum += product / 10 + product % 10;
    }
    return (unsigned)(d.p[d.n - 1] - '0') == (10 - sum % 10) % 10;
}

/* = GS1 General Specifications §7.9 */
bool check_gtin(struct slice d)
{
    if ((d.n != 8 && d.n != 12 && d.n != 13 && d.n != 14) || !all_digits(d))
        return false;
    unsigned sum = 0, weight = 3;
    for (size_t i = d.n - 1; i-- > 0; weight = 4 - weight)
        sum += weight * (unsigned)(d.p[i] - '0');
    return (unsigned)(d.p[d.n - 1] - '0') == (10 - sum % 10) % 10;
}

/* = 全国地方公共団体コード 検査数字の設定要領 */
bool check_muni(struct slice d)
{
    if (d.n != 6 || !all_digits(d))
        return false;
    unsigned sum = 0;
    for (size_t i = 0; i < 5; i++)
        sum += (unsigned)(6 - i) * (unsigned)(d.p[i] - '0');
    return (unsigned)(d.p[5] - '0') == (11 - sum % 11) % 10;
}

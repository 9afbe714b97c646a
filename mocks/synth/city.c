#include "mocks/synth/city.h"

#include "mocks/synth/prng.h"

static const struct city CITIES[] = {
    { "331007", 0, "岡山県岡山市", { "北区", "中区", "東区", "南区", NULL }, "子ども医療費受給資格証" },
    { "271403", 1, "大阪府堺市", { "堺区", "中区", "東区", "西区", "南区", "北区", "美原区", NULL }, "子ども医療証" },
    { "222127", 2, "静岡県焼津市", { NULL }, "こども医療費受給者証" },
};
enum { N_CITIES = sizeof CITIES / sizeof *CITIES, SLOTS = 10 };

const struct city *city_of(struct slice code, struct city *generic)
{
    for (unsigned i = 0; i < N_CITIES; i++)
        if (slice_eq(code, slice_str(CITIES[i].code)))
            return &CITIES[i];
    uint64_t v = 0;
    for (size_t i = 0; i < code.n; i++)
        v = v * 10 + (code.p[i] - '0');
    *generic = (struct city){ .prefix = "見本県見本市", .child = "子ども医療費受給者証" };
    memcpy(generic->code, code.p, 6);
    generic->slot = N_CITIES + (unsigned)(prng_mix(v) % (SLOTS - N_CITIES));
    return generic;
}

const char *const CITY_TOWNS[] = {
    "本町", "栄町", "緑町", "桜町", "若葉町", "朝日町", "泉町", "青葉台", "旭ケ丘", "光が丘", "東新町", "西新町", "南新町", "北新町", "中央町",
    "大手町", "川原町", "梅が枝町", "松葉町", "竹園町", "花園町", "日の出町", "港町", "浜町", "宮前町", "寺町", "学園町", "駅前町", "元町", "昭和町",
    "平成町", "千歳町", "錦町", "幸町", "末広町", "弥生町", "水神町", "天神前", "八幡町", "稲荷町", "大字見本", "字例示", "すみれ台", "もみじ台", "さつき野",
};
const unsigned CITY_TOWNS_N = sizeof CITY_TOWNS / sizeof *CITY_TOWNS;

const char *const CITY_BUILDINGS[] = {
    "見本マンション", "コーポ例示", "メゾン若葉", "ハイツ青空", "グリーンハイム", "サンプル荘", "市営見本団地3号棟", "レジデンス千歳", "パークサイド見本", "第二例示ビル",
};
const unsigned CITY_BUILDINGS_N = sizeof CITY_BUILDINGS / sizeof *CITY_BUILDINGS;

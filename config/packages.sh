# Debian packages that ./demo and ./test need. Sourced: need_packages PACKAGE...
# As root they are installed; otherwise one line says what to do.
# shellcheck shell=bash
# shellcheck disable=SC2034

RUN_PACKAGES=(redis-server openssl curl libuv1 libssl3 libcurl4 libjansson4 libhiredis0.14 libyaml-0-2 libseccomp2 libargon2-1 libqrencode4 libpng16-16 zlib1g libp11-kit0 procps iproute2)
BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkgconf libuv1-dev libssl-dev libcurl4-openssl-dev libjansson-dev libhiredis-dev
    libyaml-dev libseccomp-dev libargon2-dev libqrencode-dev libpng-dev zlib1g-dev libp11-kit-dev node-llhttp
    npm)
TEST_PACKAGES=(clang libclang-rt-14-dev llvm libcmocka-dev libcsv-dev python3 python3-pytest python3-pytest-xdist python3-jwcrypto python3-cryptography python3-prometheus-client python3-yaml
    binutils file git tcpdump shellcheck nodejs npm zbar-tools softhsm2 groff-base age)
# ./test packages
PACKAGE_PACKAGES=(mmdebstrap buildah lintian systemd dpkg-dev python3-yaml util-linux)

package_installed() {
    [ "$1" = npm ] && command -v npm >/dev/null && return 0 # some builds of nodejs bring it along
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# A package that brings a service must not start it: these programs run their own.
without_services() {
    local policy=/usr/sbin/policy-rc.d ours=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && ours=yes
    fi
    "$@" || status=$?
    [ "$ours" = no ] || rm -f "$policy"
    return "$status"
}

need_packages() {
    local missing=() p
    command -v dpkg-query >/dev/null || {
        echo "this runs on Debian 12 (dpkg is missing) / Debian 12 が必要です" >&2
        return 1
    }
    for p in "$@"; do
        package_installed "$p" || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing packages; as root run / 不足しています。root で実行してください:" >&2
        echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${#missing[@]} packages / パッケージを入れます: ${missing[*]}"
    local log
    log=$(mktemp /tmp/pmhgw-apt.XXXXXX)
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -q && without_services apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        echo "apt-get failed; the end of $log / apt-get に失敗しました:" >&2
        tail -n 5 "$log" >&2
        return 1
    fi
    rm -f "$log"
}

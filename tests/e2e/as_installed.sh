#!/bin/sh
# as_installed.sh SOURCE BIN: what setup-host makes, sealed, lost, put back, and setup-host once more; as root, in a mount namespace that it makes for itself.
# The last lines say what has become of run/.
set -eu
source=$1 bin=$2 outer=${3:-}
here=$(readlink /proc/self/ns/mnt)
[ -n "$outer" ] || exec unshare -m "$0" "$source" "$bin" "$here"
# It covers /var/lib and /run: never those of the machine.
if [ -z "$here" ] || [ "$here" = "$outer" ] || [ "${outer#mnt:}" = "$outer" ]; then
    exit 64
fi
mount --make-rprivate /
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
cp /etc/passwd /etc/group /run
sed -n 's/^[ug] \([^ ]*\).*/\1/p' "$source/config/systemd/pmhgw.sysusers" | cat -n | while read -r n name; do
    echo "$name:x:$((64000 + n)):$((64000 + n))::/nonexistent:/usr/sbin/nologin" >>/run/passwd
    echo "$name:x:$((64000 + n)):" >>/run/group
done
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
mkdir /run/stubs
printf '#!/bin/sh\n' >/run/stubs/systemd-sysusers
printf '#!/bin/sh\nexec %s --create %s\n' "$(command -v systemd-tmpfiles)" "$source/config/systemd/pmhgw.tmpfiles" >/run/stubs/systemd-tmpfiles
chmod +x /run/stubs/*
export PATH="/run/stubs:$PATH" PMHGW_BIN="$bin" PMHGW_SHARE="$source/config" LC_ALL=en_US.UTF-8
setup_host() { sh "$source/config/systemd/setup-host" >/dev/null; }

setup_host
echo "correct horse battery staple" >/run/word
"$bin/pmhgw" backup /run/data.age --with-keys /run/keys.age --passphrase-file /run/word --state /var/lib/pmhgw >/dev/null
rm -rf /var/lib/pmhgw
"$bin/pmhgw" restore /run/data.age --keys /run/keys.age --passphrase-file /run/word --state /var/lib/pmhgw >/dev/null
setup_host
readlink /var/lib/pmhgw/run || echo "a folder of its own"
rm /var/lib/pmhgw/run
mkdir /var/lib/pmhgw/run
echo 1 >/var/lib/pmhgw/run/up.pid
setup_host && echo "removed" || echo "kept $(cat /var/lib/pmhgw/run/up.pid)"

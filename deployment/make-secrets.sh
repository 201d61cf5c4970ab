#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, once: those that exist are left alone.
set -eu
folder="$(dirname "$0")/secrets"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # NAME TEXT
    test -e "$folder/$1" || printf '%s' "$2" >"$folder/$1"
    # The containers' users read the files through bind mounts; people are kept out by the folder.
    chmod 0444 "$folder/$1"
}

mkdir -p "$folder"
chmod 0700 "$folder"
keep postgres_password "$(random)"
keep blocksmith_database \
    "postgresql+psycopg://blocksmith:$(cat "$folder/postgres_password")@postgres:5432/blocksmith"
keep ray_token "$(random)"

# Serves one page on $PORT and says in the log what it does. Runs as nobody, in an image without a shell but busybox.
set -eu
bb=/bin/busybox
port=${PORT:-8080}
home=/tmp/www
$bb mkdir -p "$home"
message=$(printf '%s' "${MESSAGE:-Hello from your first deployment}" | $bb sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g')
printf 'ok\n' > "$home/healthz"
printf '<!doctype html><meta charset="utf-8"><title>hello</title><h1>%s</h1><p>This page is served by container %s.</p>\n' \
  "$message" "$($bb hostname)" > "$home/index.html"
echo "hello: serving on port $port"
exec $bb httpd -f -v -p "$port" -h "$home"

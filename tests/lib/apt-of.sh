# shellcheck shell=sh disable=SC2154 # $cache is of the script that reads this file
# SPDX-License-Identifier: GPL-2.0-or-later
# apt_of RELEASE ARGUMENT... - for the scripts that read this file, with $cache set to tests/.cache:
# apt-get with the lists of one release, whichever is installed. Where the machine has a mirror for
# its own release, it has it for the other one too.
apt_of()
{
	release=$1
	shift
	dir=$cache/apt-$release
	if [ ! -e "$dir/done" ]; then
		mkdir -p "$dir/lists/partial" "$dir/archives/partial"
		: >"$dir/status"
		# shellcheck disable=SC2016 # apt-get's own variables
		uri=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
			awk '$1 == "Debian" { print $2; exit }')
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"${uri:-http://deb.debian.org/debian} $release main" >"$dir/list"
	fi
	apt-get -q -o Dir::State="$dir" -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir" -o Dir::Etc::sourcelist="$dir/list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::GzipIndexes=true -o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Architecture="$(dpkg --print-architecture)" \
		"$@"
}

# SPDX-License-Identifier: Apache-2.0
# bash completion for srctl(1)
_srctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} ids
	case "${COMP_WORDS[*]:1:COMP_CWORD-1}" in
	addon) mapfile -t COMPREPLY < <(compgen -W "list status enable disable config rollback approve revoke" -- "$cur") ;;
	"addon status" | "addon enable" | "addon disable" | "addon config" | "addon rollback" | "addon approve" | "addon revoke")
		ids=$(find /usr/lib/serviceradar/addons -mindepth 1 -maxdepth 1 -printf '%f ' 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$ids" -- "$cur") ;;
	bundle) mapfile -t COMPREPLY < <(compgen -W "verify show" -- "$cur") ;;
	"bundle verify" | "bundle show") mapfile -t COMPREPLY < <(compgen -f -X '!*.tar.gz' -- "$cur") ;;
	import-flows) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	events*--type) mapfile -t COMPREPLY < <(compgen -W "flow_attribution_event dpi_event fingerprint_event flow_record process_snapshot addon_record" -- "$cur") ;;
	events*) mapfile -t COMPREPLY < <(compgen -W "--type --process --pid --user --port --protocol --container --json" -- "$cur") ;;
	listeners*) mapfile -t COMPREPLY < <(compgen -W "--process --pid --user --port --protocol --container --json" -- "$cur") ;;
	flows*--sort) mapfile -t COMPREPLY < <(compgen -W "age pid port process state user" -- "$cur") ;;
	flows*--record) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	flows*) mapfile -t COMPREPLY < <(compgen -W "--follow --live --sort --record --process --pid --user --port --protocol --container --json" -- "$cur") ;;
	capture*--direction) mapfile -t COMPREPLY < <(compgen -W "in out both" -- "$cur") ;;
	capture*--interface) mapfile -t COMPREPLY < <(compgen -W "$(find /sys/class/net -mindepth 1 -printf '%f ' 2>/dev/null)" -- "$cur") ;;
	capture*) mapfile -t COMPREPLY < <(compgen -W "--interface --filter --duration --byte-cap --snaplen --direction --comments --promiscuous --json" -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "addon bundle capture events fingerprints flows listeners sinks import-flows doctor version help --json --root --no-color --follow --config --set --no-wait --key --help --version" -- "$cur") ;;
	esac
}
complete -F _srctl srctl

#!/bin/bash
# A sweep on Slurm. What follows the script is what follows `reinfer sweep`:
#
#     sbatch --nodes 4 examples/slurm_sweep.sh toy --over seed=0..19 --over encoder=gru,mlp --runs runs/encoders
#
# Submit it where .venv lies (REINFER_VENV names another), on a file system that all nodes share. Five minutes before
# the time is over trials save their state; the job queues again and goes on where it stopped.
#SBATCH --job-name=reinfer-sweep
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append

set -eu
source "${REINFER_VENV:-.venv}/bin/activate"
export RAY_USAGE_STATS_ENABLED=0

# This script runs on the first node, which becomes Ray's head. Jobs that share a node must not share a port.
port=$((20000 + SLURM_JOB_ID % 20000))
address="$(hostname -I | cut -d ' ' -f 1):$port"
export port address

# One Ray node per Slurm node; --block ends it with its step. Steps do not inherit the number of cores.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 bash -c '
    if [ "$SLURM_NODEID" = 0 ]; then place=(--head --port "$port" --include-dashboard false --temp-dir "/tmp/ray-$SLURM_JOB_ID")
    else sleep 10; place=(--address "$address"); fi
    exec ray start "${place[@]}" --num-cpus "$SLURM_CPUS_PER_TASK" --disable-usage-stats --block' &
cluster=$!
trap 'kill "$cluster" 2> /dev/null || true' EXIT

# Nodes that join later are used as soon as they are there.
for _ in $(seq 60); do
    if ray status --address "$address" > /dev/null 2>&1; then break; fi
    sleep 2
done

stopping=
reinfer sweep --address "$address" "$@" &
sweep=$!
# Slurm's signal interrupts `wait`; the second one waits until all trials have saved their state.
trap 'stopping=yes; kill -TERM "$sweep"' TERM
code=0; wait "$sweep" || code=$?
if [ -n "$stopping" ]; then code=0; wait "$sweep" || code=$?; fi

if [ "$code" = 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"

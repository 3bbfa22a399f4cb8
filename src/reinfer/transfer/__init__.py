"""Reuse on a robot: belief -> sub-goal -> stride -> low level, in one rollout that everything else uses."""

from reinfer.transfer.agents import Agent, Decision, OracleAgent, RandomAgent, Situation, ToyPolicyAgent, ZeroAgent
from reinfer.transfer.hierarchy import Hierarchy, rollout
from reinfer.transfer.record import RolloutRecord, load_record, save_record
from reinfer.transfer.relearned import RelearnedAgent
from reinfer.transfer.strides import MAX_STRIDE, FixedStride, LearnedStride, RuleStride, StrideInputs

__all__ = [
    "MAX_STRIDE",
    "Agent",
    "Decision",
    "FixedStride",
    "Hierarchy",
    "LearnedStride",
    "OracleAgent",
    "RandomAgent",
    "RelearnedAgent",
    "RolloutRecord",
    "RuleStride",
    "Situation",
    "StrideInputs",
    "ToyPolicyAgent",
    "ZeroAgent",
    "load_record",
    "rollout",
    "save_record",
]

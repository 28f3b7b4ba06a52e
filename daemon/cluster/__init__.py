"""More than one box: the machines of a lab that lend their GPU, and the way to them.

The daemon does not import Ray. A child of it does (`driver`), so that the end of Ray's head, which ends every
program that is connected to it, costs the attempts in hand and not the daemon.
"""

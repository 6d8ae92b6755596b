"""The one place where a snapshot becomes believed. (Filled in by the owner of `proofs.verify`.)"""

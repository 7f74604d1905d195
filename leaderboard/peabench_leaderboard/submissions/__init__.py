"""Submissions: answers and metadata in one archive, without code; strictly read, then graded."""

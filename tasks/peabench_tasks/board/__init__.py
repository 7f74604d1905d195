"""Cups and a ball: networks that keep track of where the ball is while cups are exchanged."""

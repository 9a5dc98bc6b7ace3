"""The plan: what a grid file asks for, checked before anything is trained.

``grid_file`` reads YAML, ``grid`` checks it and holds it, ``catalogue`` knows which watermarks,
attacks and claims exist. ``data_split`` divides the data among owner, adversaries and innocents.
``experiment`` binds a grid to a folder and names every part of it by a digest.
"""

"""Amazon EC2 images through EBS direct: no instance is started, no bucket is used.

``upload`` handles blocks and one snapshot, ``image`` one region's AMI, ``pointer`` the SSM
parameters, ``publish`` the order of all steps.
"""
